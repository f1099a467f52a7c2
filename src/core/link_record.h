// The u of a link: where its URL lies, as base64url of
//
//   scheme (0x10 http, 0x11 https) | authority | directory | zeros up to a multiple of three bytes
//   and, where there is a query or a name that a link cannot show:
//   flags (1 query, 2 name) | [name] | [query]
//
// with a length before authority, directory and name. The first part is the same for all files of a
// directory and, thanks to the zeros, so is its text.

#ifndef HLS_LINK_RECORD_H
#define HLS_LINK_RECORD_H

#include <optional>
#include <string>
#include <string_view>

#include "url.h"

namespace hls {

/// The first part, encoded.
std::string record_directory(const Url &url);

/// The second part, not encoded; empty for a URL without query whose name is shown.
void record_file(const Url &url, bool name_shown, std::string &record);

struct Record {
  bool https;
  std::string_view authority, directory;
  std::optional<std::string_view> name;
  bool has_query;
  std::string_view query;
};

/// Reads a decoded u; the views are into `bytes`. False for anything that the two above would not write.
bool read_record(std::string_view bytes, Record &record);

}  // namespace hls

#endif
