/* Included before every file that clang-tidy reads (scripts/lint.sh). It sees one file at a time,
 * so it must be told that the functions which make errors return one: otherwise every caller of a
 * fallible function seems to go on with outputs that were never set. The file that defines such a
 * function (SL_FILE_<name>) keeps it as it is. */
#ifndef SLUICE_ANALYSIS_H
#define SLUICE_ANALYSIS_H

#include "models/layers/importer.h"
#include "models/prototxt_lexer.h"
#include "models/wire.h"
#include "runtime/base/error.h"

#ifndef SL_FILE_error
#define sl_error_set(error, code, ...)                                                             \
    ((void)sl_error_set(error, code, __VA_ARGS__), (code) < 0 ? (code) : -(code))
#define sl_error_errno(...) ((void)sl_error_errno(__VA_ARGS__), -1)
#define sl_error_wrap(...)  ((void)sl_error_wrap(__VA_ARGS__), -1)
#endif
#ifndef SL_FILE_wire
#define sl_wire_error(...) ((void)sl_wire_error(__VA_ARGS__), -1)
#endif
#ifndef SL_FILE_prototxt_lexer
#define sl_lexer_error(...) ((void)sl_lexer_error(__VA_ARGS__), -1)
#endif
#ifndef SL_FILE_importers
#define sl_import_fail(...) ((void)sl_import_fail(__VA_ARGS__), -1)
#endif

#endif
