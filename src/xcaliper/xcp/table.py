"""COMMANDS: the one written-out list."""

from __future__ import annotations

from typing import Final

from xcaliper.proto.command import CommandTable
from xcaliper.xcp import cal, daq, pag, pgm, std, timecorr
from xcaliper.xcp.level1 import LEVEL1_COMMANDS

__all__ = ["COMMANDS"]

COMMANDS: Final = CommandTable(
    std.Connect,
    std.Disconnect,
    std.GetStatus,
    std.Synch,
    std.GetCommModeInfo,
    std.GetId,
    std.SetRequest,
    std.GetSeed,
    std.Unlock,
    std.SetMta,
    std.Upload,
    std.ShortUpload,
    std.BuildChecksum,
    std.TransportLayerCmd,
    std.UserCmd,
    cal.Download,
    cal.DownloadNext,
    cal.DownloadMax,
    cal.ShortDownload,
    cal.ModifyBits,
    pag.SetCalPage,
    pag.GetCalPage,
    pag.GetPagProcessorInfo,
    pag.GetSegmentInfo,
    pag.GetPageInfo,
    pag.SetSegmentMode,
    pag.GetSegmentMode,
    pag.CopyCalPage,
    daq.ClearDaqList,
    daq.SetDaqPtr,
    daq.WriteDaq,
    daq.SetDaqListMode,
    daq.GetDaqListMode,
    daq.StartStopDaqList,
    daq.StartStopSynch,
    timecorr.GetDaqClock,
    daq.ReadDaq,
    daq.GetDaqProcessorInfo,
    daq.GetDaqResolutionInfo,
    daq.GetDaqListInfo,
    daq.GetDaqEventInfo,
    daq.FreeDaq,
    daq.AllocDaq,
    daq.AllocOdt,
    daq.AllocOdtEntry,
    pgm.ProgramStart,
    pgm.ProgramClear,
    pgm.Program,
    pgm.ProgramReset,
    pgm.GetPgmProcessorInfo,
    pgm.GetSectorInfo,
    pgm.ProgramPrepare,
    pgm.ProgramFormat,
    pgm.ProgramNext,
    pgm.ProgramMax,
    pgm.ProgramVerify,
    daq.WriteDaqMultiple,
    timecorr.TimeCorrelationProperties,
    timecorr.DtoCtrProperties,
    *LEVEL1_COMMANDS,
)
