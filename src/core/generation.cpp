#include "generation.h"

#include "flat_record.h"
#include "link.h"

namespace hls {

namespace {

constexpr std::uint64_t kFormat = 0x484750'01;   // "HGP" and the version

}  // namespace

bool Generation::is_fresh(std::uint64_t now, std::uint64_t ttl) const {
  if (answer.expires != 0 && now >= answer.expires) return false;
  return now < resolved || now - resolved < ttl;
}

bool Generation::is_due(std::uint64_t now, std::uint64_t before) const {
  return before != 0 && answer.expires != 0 && (now >= answer.expires || answer.expires - now <= before);
}

std::string Generation::serialise() const {
  FlatWriter to;
  to.number(kFormat);
  to.number(number);
  to.number(resolved);
  to.number(answer.expires);
  to.text(answer.url.text());
  to.text(answer.provider);
  to.number(answer.headers.size());
  for (const UpstreamHeader &header : answer.headers) {
    to.text(header.name);
    to.text(header.value);
  }
  return to.take();
}

bool Generation::deserialise(std::string_view bytes, Generation &generation) {
  FlatReader from(bytes);
  if (from.number() != kFormat) return false;
  Generation read;
  read.number = from.number();
  read.resolved = from.number();
  read.answer.expires = from.number();
  std::string_view url = from.text();
  read.answer.provider = from.text();
  std::size_t headers = from.count(kMaxUpstreamHeaders);
  for (std::size_t i = 0; i < headers; ++i) {
    std::string name(from.text());
    read.answer.headers.push_back({std::move(name), std::string(from.text())});
  }
  if (!from.at_end() || url.size() > LinkWriter::kMaxUrl) return false;
  if (!parse_url(url, read.answer.url) || read.answer.url.text() != url) return false;
  generation = std::move(read);
  return true;
}

}  // namespace hls
