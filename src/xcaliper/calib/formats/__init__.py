"""Files of parameter sets: bytes ↔ :class:`~xcaliper.calib.paramset.ParameterSet`."""
