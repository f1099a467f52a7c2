// The name of a stream: its source and the values of the source's key arguments.

#ifndef HLS_STREAM_KEY_H
#define HLS_STREAM_KEY_H

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hls {

struct StreamKey {
  std::string source;
  /// In the order of the source's `key` directive; nullopt: the argument was absent.
  std::vector<std::optional<std::string>> values;

  /// base64url of version, source and values: the <stream> of a link's path.
  std::string encode() const;
  /// The reverse; false for anything that encode() would not have written.
  bool decode(std::string_view text);
};

}  // namespace hls

#endif
