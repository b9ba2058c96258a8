"""Every code a finding about a description may carry: what it means and what to do.

One table: checkers take severities from it, the reference pages and SARIF reports their texts.
"""

from dataclasses import dataclass
from typing import Final

from xcaliper.core.diagnostics import Severity

__all__ = ["RULES", "Rule"]

_E: Final = Severity.ERROR
_W: Final = Severity.WARNING
_I: Final = Severity.INFO


@dataclass(frozen=True, slots=True)
class Rule:
    """One code.

    Attributes:
        slug: the code, stable.
        severity: how bad a finding usually is; a reader may raise or lower single ones.
        title: what is wrong, in a few words.
        explanation: why it matters.
        remedy: what to do.
    """

    slug: str
    severity: Severity
    title: str
    explanation: str
    remedy: str


_TABLE: Final = (
    # ---- text
    Rule("not-asap2", _E, "The file is no description", "Binary content, an ELF file or something else was given.", "Give the A2L file."),
    Rule("cut-off", _E, "The text ends too early", "Blocks are open at the end of the file; what was read so far is kept.", "Get the file again, whole."),
    Rule("comment-open", _E, "A comment does not end", "Everything behind it would be part of the comment; it was ended with its line.", "Close it with */."),
    Rule("comment-nested", _W, "A comment hides blocks", "Behind /begin or /end another /* stands in the comment, so its own */ is probably missing: the */ of a later comment ended it, and the blocks between were not read.", "Close the comment before the blocks, or remove the inner /*."),
    Rule("string-open", _E, "A string does not end", "The closing quote is missing, so the end of the line was taken.", "Add the quote."),
    Rule("string-backslash-end", _W, "A backslash stands before the closing quote", "It escapes the quote for a strict reader, and then the string runs into what follows; so the backslash was taken literally and the string ended there.", "Double the backslash."),
    Rule("block-expected", _W, "A block lacks /begin", "The keyword is one of a block.", "Add /begin and /end."),
    Rule("block-unexpected", _W, "A keyword stands as a block", "The keyword takes no /begin.", "Remove /begin and /end."),
    Rule("block-unknown", _W, "A block is not known here", "It was skipped and everything around it was read.", "Correct its name, or move it to where it belongs."),
    Rule("keyword-unknown", _W, "A keyword is not known here", "It and its parameters were skipped.", "Correct its name, or move it to where it belongs."),
    Rule("keyword-twice", _W, "A keyword occurs twice", "Only one is allowed in this block; the first counts.", "Remove the other."),
    Rule("end-missing", _E, "A block does not end", "It was closed where its parent ends.", "Add /end."),
    Rule("end-wrong", _W, "A block ends with another name", "The name behind /end is not that of the open block.", "Correct the name."),
    Rule("block-remainder", _W, "Words follow the end of a block", "An /end inside of the block closed it early; what follows was skipped.", "Correct the /end marks inside the block."),
    Rule("enum-unknown", _W, "A word is not one of the allowed ones", "It is kept, but tools may refuse it.", "Use one of the words of the standard."),
    Rule("identifier-quoted", _W, "A name stands in quotes", "Names are bare words.", "Remove the quotes."),
    Rule("list-incomplete", _W, "A list ends in the middle of a row", "The last row lacks values and was left out.", "Complete the row."),
    Rule("number-not-whole", _W, "A whole number has a fraction", "It was rounded.", "Write a whole number."),
    Rule("parameter-missing", _E, "A parameter is missing", "The object cannot be read without it and was left out.", "Add the parameter."),
    Rule("nesting-depth", _E, "Blocks are nested too deeply", "The inner ones were skipped.", "Flatten them."),
    Rule("too-many", _E, "There is too much", "Further findings are not listed, or further objects were not looked at.", "Mend the first findings and look again, or check parts of the file."),
    Rule("include-cycle", _E, "A file includes itself", "It was not read again.", "Remove one include."),
    Rule("include-limit", _E, "Includes go too far", "Too many files or characters; the rest was left out.", "Include less."),
    Rule("include-missing", _W, "An included file is missing", "Its content is not part of the description.", "Put it beside the file that includes it."),
    Rule("include-unnamed", _E, "An include has no name", "There is nothing to read.", "Add the name of the file."),
    Rule("encoding-utf", _W, "UTF in an old description", "Editions up to 1.5 know code pages only, older tools show wrong characters.", "Raise ASAP2_VERSION to 1 60, or save in the code page."),
    Rule("encoding-mark", _I, "UTF-8 without a mark", "Editions from 1.6 on ask for a byte order mark when characters beyond ASCII are used.", "Save with the mark."),
    Rule("comment-lost", _W, "A comment is not kept", "The file was laid out anew, and comments have no place in the new text.", "Keep the original, or edit objects instead of laying out the file."),
    Rule("part-lost", _W, "A part cannot be kept", "The file was laid out anew without text that could not be read.", "Mend the findings of the check first."),
    # ---- names and references
    Rule("reference-dangling", _E, "A reference leads nowhere", "The named object does not exist in the module, so the user cannot be read or written.", "Add the object or correct the name."),
    Rule("name-duplicate", _E, "A name is taken twice", "Two objects of one name space share a name; the first one counts.", "Rename one of them."),
    Rule("name-collision", _E, "A component's name collides", "A component of an INSTANCE, written out, has the name of another object.", "Rename one of them."),
    Rule("unused", _I, "Nothing uses it", "A conversion, table, layout, unit or typedef that nothing refers to only costs time.", "Remove it."),
    # ---- versions
    Rule("version-too-new", _W, "Newer than the declared version", "Tools for the declared version refuse the keyword.", "Raise ASAP2_VERSION."),
    Rule("version-deprecated", _I, "Older than the declared version", "The keyword was replaced; new tools may ignore it.", "Use what replaced it."),
    # ---- values
    Rule("limits-reversed", _E, "The lower limit is above the upper", "No value can be written.", "Exchange them."),
    Rule("limits-beyond-extended", _W, "Limits reach beyond EXTENDED_LIMITS", "The weak limits allow what the hard ones forbid.", "Widen EXTENDED_LIMITS."),
    Rule("limits-beyond-type", _W, "Limits reach beyond the data type", "The conversion of the type's smallest and largest value lies inside the limits, so writing may clamp.", "Narrow the limits or widen the type."),
    Rule("mask-beyond-type", _E, "A mask has bits the type does not have", "The upper bits of BIT_MASK select nothing.", "Correct BIT_MASK or the type."),
    Rule("byte-order-differs", _I, "Memory and XCP have different byte orders", "BYTE_ORDER of MOD_COMMON and of PROTOCOL_LAYER are rarely different.", "Compare both with the controller."),
    Rule("byte-order-ambiguous", _W, "LITTLE_ENDIAN or BIG_ENDIAN", "In old editions the words mean the reverse of everyday use.", "Write MSB_FIRST or MSB_LAST."),
    Rule("size-missing", _E, "The number of elements is missing", "VAL_BLK and ASCII need MATRIX_DIM or NUMBER.", "Add MATRIX_DIM."),
    Rule("object-unusable", _W, "An object cannot be used", "Something in its description contradicts itself or is not supported, so it can be neither read nor written by name.", "Correct what the message names."),
    # ---- conversions, tables, axes, layouts
    Rule("conversion-incomplete", _E, "A conversion lacks its parameters", "The type needs a keyword that is not there.", "Add the keyword."),
    Rule("conversion-one-way", _W, "A conversion has no way back", "Values of writable objects cannot be converted to raw ones.", "Add FORMULA_INV, or mark the object READ_ONLY."),
    Rule("conversion-degenerate", _E, "A conversion gives one value for all", "COEFFS of RAT_FUNC make INT = f(PHYS) independent of PHYS, so that no physical value follows from the raw one; or the factor of COEFFS_LINEAR is 0.", "Correct the coefficients."),
    Rule("table-count", _W, "The announced number of rows is wrong", "The rows that are there count.", "Correct the number."),
    Rule("table-duplicate", _W, "A table has a value twice", "Only the first row of the value is ever used.", "Remove the other rows."),
    Rule("table-unsorted", _W, "The rows of an interpolated table do not ascend", "Readers that search by halving find wrong rows.", "Sort them."),
    Rule("axis-count", _E, "The number of axes does not fit the type", "CURVE needs one AXIS_DESCR, MAP two, CUBOID three and so on.", "Add or remove axes."),
    Rule("axis-incomplete", _E, "An axis lacks its keyword", "COM_AXIS and RES_AXIS need AXIS_PTS_REF, CURVE_AXIS needs CURVE_AXIS_REF, FIX_AXIS one of the FIX_AXIS_PAR keywords.", "Add the keyword."),
    Rule("axis-keyword", _W, "An axis has a keyword of another type", "AXIS_PTS_REF is for COM_AXIS and RES_AXIS, CURVE_AXIS_REF for CURVE_AXIS, the FIX_AXIS_PAR keywords for FIX_AXIS; readers ignore it elsewhere.", "Correct the type of the axis, or remove the keyword."),
    Rule("table-overlap", _W, "Ranges of a table overlap", "A raw value of COMPU_VTAB_RANGE has two texts; the first row counts.", "Separate the ranges."),
    Rule("layout-incomplete", _E, "The record layout lacks an element", "Values need FNC_VALUES, standard axes their AXIS_PTS.", "Add the element or use another layout."),
    Rule("layout-dimension", _W, "Layout and axis disagree about the points", "FIX_NO_AXIS_PTS of the record layout is not the number of points of the axis.", "Correct one of them."),
    Rule("layout-position", _W, "Two elements share a position", "Their order in memory is not defined.", "Number them in order."),
    # ---- memory
    Rule("address-missing", _W, "A measurement has no address", "It is not computed from others, so it cannot be measured without ECU_ADDRESS.", "Add ECU_ADDRESS, or VIRTUAL where it is computed."),
    Rule("address-zero", _I, "Several objects lie at address 0", "Generators write 0 until the program is linked, so addresses of these objects were not looked at.", "Update the addresses from the ELF file or the linker map."),
    Rule("memory-outside", _W, "Outside of all memory segments", "Tools find no page and no image data for the address.", "Correct the address or add a segment."),
    Rule("memory-overlap", _W, "Writable objects overlap", "Writing one changes the other.", "Correct the addresses, or mark one READ_ONLY."),
    Rule("segment-overlap", _W, "Memory segments overlap", "An address belongs to two segments.", "Correct address or size."),
    Rule("epk-missing", _W, "There is no EPK", "Nobody can tell whether the description fits the program in the ECU.", "Add EPK and ADDR_EPK."),
    Rule("epk-address", _W, "EPK without ADDR_EPK", "The identification cannot be read from memory.", "Add ADDR_EPK."),
    # ---- groups and variants
    Rule("group-cycle", _E, "Groups or functions contain each other", "A tree cannot be shown.", "Take one out of the list."),
    Rule("group-parents", _W, "A group has two parents", "The groups are to be a forest.", "Leave it in one of them."),
    Rule("group-no-root", _I, "A group hangs in the air", "It is no ROOT and inside no other, so some tools do not show it.", "Add ROOT or put it into a SUB_GROUP."),
    Rule("group-root-inside", _W, "A ROOT group is inside another", "Roots are on top.", "Remove ROOT."),
    Rule("variant-addresses", _W, "VAR_ADDRESS has the wrong length", "There is one address per permitted combination of the criteria.", "Give one address for each."),
    Rule("variant-value", _W, "A forbidden combination names no value", "The criterion does not have the value.", "Correct the value."),
    # ---- interface data
    Rule("aml-missing", _I, "IF_DATA without A2ML", "Other tools cannot read the IF_DATA; built-in definitions were used.", "Add an A2ML block."),
    Rule("a2ml-open", _E, "The A2ML block does not end", "It was ended at the next block of the MODULE or at the next /end.", "Add /end A2ML."),
    Rule("aml-syntax", _W, "A2ML cannot be understood", "The part was skipped; IF_DATA that need it are read by built-in definitions.", "Correct the A2ML."),
    Rule("aml-reference", _W, "A2ML refers to an unknown type", "Types are defined before they are used.", "Define it above."),
    Rule("aml-depth", _W, "A2ML nests too deeply", "The inner types were not read.", "Flatten them."),
    Rule("aml-size", _E, "A2ML is too long", "It was not read.", "Shorten it."),
    Rule("aml-include-missing", _W, "A file included by the A2ML is missing", "Built-in definitions were used.", "Put it beside the description."),
    Rule("aml-root-missing", _W, "A2ML has no IF_DATA", "It says nothing about IF_DATA; built-in definitions were used.", "End it with block \"IF_DATA\"."),
    Rule("aml-mismatch", _W, "IF_DATA does not fit the A2ML", "The part is kept as it is, other tools may refuse it.", "Correct the data or the A2ML."),
    Rule("aml-range", _W, "A number in IF_DATA does not fit its type", "The A2ML declares a smaller type.", "Correct the data or the A2ML."),
    Rule("aml-tag-repeated", _W, "A tag in IF_DATA comes twice", "The A2ML allows it once.", "Remove one."),
    Rule("aml-tag-unknown", _I, "IF_DATA of an unknown interface", "Neither the A2ML nor a built-in definition knows it; it is kept as it is.", "Add it to the A2ML."),
    Rule("aml-text-long", _I, "A string in IF_DATA is too long", "The A2ML allows fewer characters.", "Shorten it."),
    Rule("aml-unquoted", _I, "A string in IF_DATA has no quotes", "A2ML strings are quoted.", "Add quotes."),
    Rule("if-xcp-missing", _W, "IF_DATA XCP lacks a value", "A neutral value was taken.", "Compare it with the A2ML of the XCP edition in use."),
    Rule("if-xcp-unknown", _W, "IF_DATA XCP has something unknown", "It was skipped.", "Compare it with the A2ML of the XCP edition in use."),
    Rule("if-ccp-missing", _W, "IF_DATA ASAP1B_CCP lacks a value", "A neutral value was taken.", "Compare it with the A2ML of CCP."),
    Rule("if-ccp-unknown", _W, "IF_DATA ASAP1B_CCP has something unknown", "It was skipped.", "Compare it with the A2ML of CCP."),
    Rule("event-unknown", _W, "An event does not exist", "An object asks for an event or raster that the module does not describe.", "Add the event or correct the number."),
    Rule("event-duplicate", _E, "An event is described twice", "Two EVENT blocks have one channel number.", "Give each its own number."),
    Rule("event-count", _W, "More events than MAX_EVENT_CHANNEL", "Masters that believe the number leave events out.", "Correct MAX_EVENT_CHANNEL."),
    Rule("event-default", _W, "The default event is not available", "DEFAULT_EVENT_LIST names an event that AVAILABLE_EVENT_LIST does not have.", "Add it there."),
    Rule("blob-address", _W, "KP_BLOB or DP_BLOB lies elsewhere", "CCP tools use the blob, others the address of the object.", "Update both."),
    Rule("segment-number", _E, "Two segments have one XCP number", "Pages of the second cannot be reached.", "Give each its own number."),
    Rule("segment-pages", _W, "Pages of a segment are described wrongly", "The number of pages differs, or two pages have one number.", "Correct the pages."),
    # ---- against a live ECU
    Rule("live-contradiction", _W, "The ECU says something else", "The description and the slave differ; the slave is right.", "Write a corrected description."),
    Rule("live-epk", _E, "The description is for another program", "The EPK of the ECU is another one; addresses may mean something else.", "Use the description of this program."),
    Rule("live-event", _W, "An event is not as described", "The slave does not have it, or it has one that is not described.", "Write a corrected description."),
    Rule("live-segment", _W, "A segment is not as described", "Number, address, length or pages differ.", "Write a corrected description."),
    Rule("live-command", _W, "A command is not as described", "An optional command is described but refused, or served but not described.", "Write a corrected description."),
    Rule("live-assumed", _I, "Neither side tells", "A value was assumed.", "Add it to the description."),
)  # fmt: skip

RULES: Final[dict[str, Rule]] = {rule.slug: rule for rule in _TABLE}
"""Rules by their slug."""
