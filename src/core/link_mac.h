// What a link's signature covers, in the order in which it is hashed. Fields that all links of one
// directory share come first and are padded to a whole block, so that the writer keeps the hash state
// behind them. Lengths stand before the fields: no two links hash the same bytes.

#ifndef HLS_LINK_MAC_H
#define HLS_LINK_MAC_H

#include <openssl/sha.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "link.h"

namespace hls {

constexpr std::size_t kMacBytes = 16;
constexpr std::size_t kMacChars = 22;
constexpr std::size_t kSignatureChars = 2 + kMacChars;   // key id and MAC

struct SharedFields {
  LinkKind kind;
  std::uint64_t exp, end;
  std::string_view bind, stream;
  std::string_view origin_and_directory;   // "https://host:port/dir/"
  std::size_t origin_size;                 // of its "https://host:port"
};

SHA256_CTX mac_shared(const LinkKey &key, const SharedFields &fields);

struct OwnFields {
  std::string_view name;        // as in the link
  const std::string_view *true_name;  // null: the same
  bool has_query;
  std::string_view query;
  const Position *at;           // null: none
  std::string_view variables;
};

/// Writes kMacChars characters to `text`.
void mac_finish(const LinkKey &key, SHA256_CTX state, const OwnFields &fields, char *text);

}  // namespace hls

#endif
