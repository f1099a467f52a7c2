// Links: what is minted opens to the same, what is changed opens to nothing else, and no request, record,
// stream or set of variables that anybody can send does harm. Input: a mode, then what the mode says.

#include <optional>

#include "base64url.h"
#include "fuzz.h"
#include "link.h"
#include "link_record.h"
#include "percent.h"
#include "stream_key.h"
#include "url.h"
#include "variables.h"

namespace {

using fuzz::fixture;
using hls::Link;
using hls::LinkKind;
using hls::LinkState;
using hls::Url;
using std::string;
using std::string_view;

LinkState open(string_view path, string_view args, Link &link) {
  const char *reason = nullptr;
  LinkState state =
      hls::open_link(path, args, fixture().keys, fixture().scope.bind, fuzz::kNow, link, reason);
  FUZZ_REQUIRE((state == LinkState::ok) == (reason == nullptr));
  return state;
}

/// What a link says, in one string.
string describe(const Link &link) {
  string text = link.kind == LinkKind::media ? "media" : "playlist";
  for (string_view part : {string_view(link.stream_text), link.url.text(), string_view(link.variables)}) {
    text.append("\n").append(part);
  }
  if (link.at) {
    text += "\n" + std::to_string(link.at->parent) + "." + std::to_string(link.at->sequence) + "." +
            std::to_string(link.at->part);
  }
  return text + "\n" + std::to_string(link.exp) + " " + std::to_string(link.end);
}

struct Minted {
  string path, args;   // below the base
};

Minted split(string_view link) {
  FUZZ_REQUIRE(link.substr(0, fuzz::kBase.size()) == fuzz::kBase);
  link.remove_prefix(fuzz::kBase.size());
  std::size_t question = link.find('?');
  FUZZ_REQUIRE(question != link.npos);
  return {string(link.substr(0, question)), string(link.substr(question + 1))};
}

/// Bytes: kind, position, which byte to change, to what; then a URL.
void mint_and_change(string_view input) {
  if (input.size() < 8) return;
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(input[i]); };
  Url url;
  if (!hls::parse_url(input.substr(8), url)) return;

  hls::LinkWriter links(fixture().scope);
  fuzz::Collector out;
  hls::Position at;
  at.parent = static_cast<std::uint32_t>(byte(1)) << 16 | byte(2);
  at.sequence = byte(3) == 255 ? UINT64_MAX : byte(3);
  at.part = byte(1) % 3 - 1;
  auto kind = static_cast<hls::UriKind>(byte(0) % 8);
  string variables = byte(0) & 64 ? hls::base64url_encode(input.substr(0, 8)) : string();
  bool written = links.write(out, url, kind, byte(0) & 128 ? &at : nullptr, variables, false);
  string text = out.take();
  FUZZ_REQUIRE(written == (url.text().size() <= hls::LinkWriter::kMaxUrl) && written == !text.empty());
  if (!written) return;
  for (char c : text) FUZZ_REQUIRE(fuzz::is_link_byte(c));

  Minted minted = split(text);
  Link link;
  FUZZ_REQUIRE(open(hls::percent_decode(minted.path, false), minted.args, link) == LinkState::ok);
  FUZZ_REQUIRE(link.url.text() == url.text());
  FUZZ_REQUIRE(link.at.has_value() == ((byte(0) & 128) != 0) && (!link.at || *link.at == at));
  const string said = describe(link);

  // One byte changed: it opens to the same (an argument of somebody else, say, or no change), or not at all.
  std::size_t where = (static_cast<std::size_t>(byte(4)) << 8 | byte(5)) % text.size();
  if (where < fuzz::kBase.size()) return;
  text[where] = static_cast<char>(byte(6));
  if (text.find('?') == text.npos) return;
  minted = split(text);
  if (open(minted.path, minted.args, link) == LinkState::ok) FUZZ_REQUIRE(describe(link) == said);
}

/// A record without a signature in its way: it decodes to what encodes to the same bytes, or to nothing.
void decode_record(string_view input) {
  string_view name = fuzz::take_line(input);
  hls::Record record;
  Url url;
  if (!hls::read_record(input, record)) return;
  if (!url.assign(record.https, record.authority, record.directory, record.name.value_or(name),
                  record.has_query, record.query)) {
    return;
  }
  string rest;
  hls::record_file(url, !record.name, rest);
  FUZZ_REQUIRE(hls::record_directory(url) + hls::base64url_encode(rest) == hls::base64url_encode(input));
}

void decode_texts(string_view input) {
  string bytes;
  if (hls::base64url_decode(input, bytes)) FUZZ_REQUIRE(hls::base64url_encode(bytes) == input);
  for (const string &text : {string(input), hls::base64url_encode(input)}) {
    hls::StreamKey stream;
    if (stream.decode(text)) FUZZ_REQUIRE(stream.encode() == text);
    hls::Variables variables;
    if (variables.decode(text)) FUZZ_REQUIRE(variables.encode() == text);
    else FUZZ_REQUIRE(variables.empty());
  }
}

/// A request as it comes, in full or with our stream and name.
void open_request(string_view input) {
  string_view path = fuzz::take_line(input);
  Link link;
  FUZZ_REQUIRE(open(path, input, link) != LinkState::ok);
  string ours = "/playlist/" + fixture().scope.stream + "/index.m3u8";
  FUZZ_REQUIRE(open(ours, input, link) != LinkState::ok);
  const string query = hls::query_with(link.url.query(), link.foreign);
  for (const string &text : {link.foreign, link.directives, query}) {
    for (unsigned char c : text) FUZZ_REQUIRE(c > 0x20 && c < 0x7F && c != '"' && c != '#');
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  if (size == 0) return 0;
  string_view input = fuzz::view(data + 1, size - 1);
  switch (data[0] % 4) {
  case 0: mint_and_change(input); break;
  case 1: decode_record(input); break;
  case 2: decode_texts(input); break;
  case 3: open_request(input); break;
  }
  return 0;
}
