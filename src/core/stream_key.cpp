#include "stream_key.h"

#include "base64url.h"
#include "varint.h"

namespace hls {

namespace {

constexpr char kVersion = 1;
constexpr std::size_t kMaxText = 2048;

}  // namespace

// version, source, then for each value its length plus one, or 0 where it is absent.
std::string StreamKey::encode() const {
  std::string record(1, kVersion);
  put_text(record, source);
  for (const auto &value : values) {
    put_varint(record, value ? static_cast<std::uint32_t>(value->size()) + 1 : 0);
    if (value) record.append(*value);
  }
  return base64url_encode(record);
}

bool StreamKey::decode(std::string_view text) {
  std::string record;
  if (text.size() > kMaxText || !base64url_decode(text, record)) return false;

  std::string_view rest = record, name;
  if (rest.empty() || rest.front() != kVersion) return false;
  rest.remove_prefix(1);
  if (!take_text(rest, name) || name.empty()) return false;
  source = name;

  values.clear();
  while (!rest.empty()) {
    std::uint32_t size;
    if (!take_varint(rest, size)) return false;
    if (size == 0) {
      values.emplace_back();
      continue;
    }
    if (--size > rest.size()) return false;
    values.emplace_back(std::string(rest.substr(0, size)));
    rest.remove_prefix(size);
  }
  return true;
}

}  // namespace hls
