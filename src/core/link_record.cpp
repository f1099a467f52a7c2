#include "link_record.h"

#include "base64url.h"
#include "varint.h"

namespace hls {

namespace {

constexpr unsigned char kHttp = 0x10, kHttps = 0x11;
constexpr unsigned char kQuery = 1, kName = 2;

}  // namespace

std::string record_directory(const Url &url) {
  std::string record(1, static_cast<char>(url.https() ? kHttps : kHttp));
  put_text(record, url.authority());
  put_text(record, url.directory());
  record.append((3 - record.size() % 3) % 3, '\0');
  return base64url_encode(record);
}

void record_file(const Url &url, bool name_shown, std::string &record) {
  record.clear();
  if (name_shown && !url.has_query()) return;
  record.push_back(static_cast<char>((url.has_query() ? kQuery : 0) | (name_shown ? 0 : kName)));
  if (!name_shown) put_text(record, url.name());
  record.append(url.query());
}

bool read_record(std::string_view bytes, Record &record) {
  std::size_t size = bytes.size();
  if (bytes.empty()) return false;
  unsigned char scheme = static_cast<unsigned char>(bytes.front());
  if (scheme != kHttp && scheme != kHttps) return false;
  record.https = scheme == kHttps;
  bytes.remove_prefix(1);
  if (!take_text(bytes, record.authority) || !take_text(bytes, record.directory)) return false;

  for (; (size - bytes.size()) % 3 != 0; bytes.remove_prefix(1)) {
    if (bytes.empty() || bytes.front() != '\0') return false;
  }

  record.name.reset();
  record.has_query = false;
  record.query = {};
  if (bytes.empty()) return true;

  unsigned char flags = static_cast<unsigned char>(bytes.front());
  if (flags == 0 || (flags & ~(kQuery | kName))) return false;
  bytes.remove_prefix(1);
  if (flags & kName) {
    std::string_view name;
    if (!take_text(bytes, name)) return false;
    record.name = name;
  }
  record.has_query = flags & kQuery;
  if (!record.has_query) return bytes.empty();
  record.query = bytes;
  return true;
}

}  // namespace hls
