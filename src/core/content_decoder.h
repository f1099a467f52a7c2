// Content-Encoding of origins: we ask for identity, some compress all the same.

#ifndef HLS_CONTENT_DECODER_H
#define HLS_CONTENT_DECODER_H

#include <cstddef>
#include <memory>
#include <string_view>

namespace hls {

enum class ContentCoding { identity, gzip, deflate, br, unknown };

/// `header`: the value of Content-Encoding (RFC 9110 8.4), in any case, with blanks; empty is identity.
/// A list with more than one coding (identity aside) is unknown.
ContentCoding parse_content_coding(std::string_view header);

/// Streaming decoder. `deflate` takes zlib and raw streams (both are sent). Memory stays bounded by
/// the coding's window, whatever the input claims: 32 KiB for gzip and deflate, 16 MiB for br (RFC 7932
/// 9.1; only as much of it is touched as was really written).
class ContentDecoder {
public:
  enum class Status {
    more,   // `in` is used up
    output, // `out` is full (or the decoder wants to be called again): call again with what is left of `in`
    done,   // end of the compressed stream; `in` is used up
    error,  // damaged input, and so for every further call; what was written before may have been wrong
  };

  /// Null for identity and unknown. Throws std::bad_alloc.
  static std::unique_ptr<ContentDecoder> create(ContentCoding coding);
  virtual ~ContentDecoder() = default;

  /// Consumes from the front of `in`, writes into out[0, size), size > 0, sets `written`. A call that
  /// returns `output` has consumed or written something. After `done`, further input is ignored, but a
  /// further member of gzip is decoded too (RFC 1952 2.2): then `more` or `output` comes once again. So a
  /// body is complete if, and only if, the call with its last bytes returned `done`.
  virtual Status decode(std::string_view &in, char *out, std::size_t size, std::size_t &written) = 0;
};

}  // namespace hls

#endif
