// What a resolver says, and the generation that is made of it. Input: a byte of flags, then a body; the whole
// of it as a record out of shared memory, too.

#include <algorithm>

#include "fuzz.h"
#include "generation.h"
#include "resolver_answer.h"
#include "url.h"

namespace {

using fuzz::kNow;
using hls::AnswerError;
using hls::Generation;
using hls::ResolverAnswer;
using hls::UpstreamHeader;
using std::string;
using std::string_view;

constexpr std::uint64_t kDay = 86400;
constexpr std::uint64_t kTenYears = 3652 * kDay;

string lower(string_view text) {
  string folded(text);
  for (char &c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return folded;
}

bool has_control(string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

bool is_token(string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c > 0x20 && c < 0x7F &&
        string_view("\"(),/:;<=>?@[\\]{}").find(static_cast<char>(c)) == string_view::npos;
  });
}

bool only_relay_sends(const string &name) {
  for (string_view prefix : {"if-", "proxy-", "content-", "x-accel-"}) {
    if (name.compare(0, prefix.size(), prefix) == 0) return true;
  }
  for (string_view known : {"host", "range", "connection", "keep-alive", "te", "trailer", "transfer-encoding",
                            "upgrade", "expect", "accept-encoding"}) {
    if (name == known) return true;
  }
  return false;
}

/// Whatever somebody says, each header is one line that may go upstream, and no two have one name.
void require_headers(const std::vector<UpstreamHeader> &headers) {
  FUZZ_REQUIRE(headers.size() <= hls::kMaxUpstreamHeaders);
  std::vector<string> names;
  for (const UpstreamHeader &header : headers) {
    names.push_back(lower(header.name));
    FUZZ_REQUIRE(is_token(header.name) && !only_relay_sends(names.back()));
    FUZZ_REQUIRE(!has_control(header.value) && header.value.size() <= hls::kMaxUpstreamHeaderValue);
  }
  std::sort(names.begin(), names.end());
  FUZZ_REQUIRE(std::adjacent_find(names.begin(), names.end()) == names.end());
}

void require_flat(const Generation &generation) {
  const string bytes = generation.serialise();
  Generation back;
  FUZZ_REQUIRE(Generation::deserialise(bytes, back) && back.serialise() == bytes);
  FUZZ_REQUIRE(back.number == generation.number && back.resolved == generation.resolved);
  FUZZ_REQUIRE(back.answer.url.text() == generation.answer.url.text());
  FUZZ_REQUIRE(back.answer.headers == generation.answer.headers);
  FUZZ_REQUIRE(back.answer.expires == generation.answer.expires);
  FUZZ_REQUIRE(back.answer.provider == generation.answer.provider);
}

/// Nobody's URL says that it dies before now, nor after ten years.
void require_expiry(const hls::Url &url) {
  for (std::uint64_t now : {kNow, std::uint64_t{0}, UINT64_MAX - kTenYears}) {
    std::uint64_t expires = hls::url_expiry(url, now);
    FUZZ_REQUIRE(expires == 0 || (expires > now && expires <= now + kTenYears));
  }
}

void read_answer(string_view type, string_view body) {
  ResolverAnswer answer;
  answer.provider = "before";
  AnswerError error = hls::parse_resolver_answer(type, body, kNow, answer);
  FUZZ_REQUIRE(hls::describe(error)[0] != '\0');
  if (error != AnswerError::none) {
    FUZZ_REQUIRE(answer.provider == "before" && answer.url.empty() && answer.headers.empty() &&
                 answer.expires == 0);
    return;
  }
  hls::Url again;
  FUZZ_REQUIRE(hls::parse_url(answer.url.text(), again) && again.text() == answer.url.text());
  FUZZ_REQUIRE(answer.url.text().size() <= hls::LinkWriter::kMaxUrl && !has_control(answer.url.text()));
  FUZZ_REQUIRE(answer.provider.size() <= hls::kMaxProviderName && !has_control(answer.provider));
  FUZZ_REQUIRE(answer.expires == 0 || (answer.expires + kDay >= kNow && answer.expires <= kNow + kTenYears));
  require_headers(answer.headers);
  require_expiry(answer.url);
  require_flat({body.size(), kNow, answer});
}

/// A record that anything may have written: what is read of it is what is written again.
void read_record(string_view bytes) {
  Generation generation;
  generation.number = 7;
  if (!Generation::deserialise(bytes, generation)) {
    FUZZ_REQUIRE(generation.number == 7 && generation.answer.url.empty());
    return;
  }
  FUZZ_REQUIRE(generation.serialise() == bytes);
  for (std::uint64_t now : {kNow, std::uint64_t{0}, UINT64_MAX}) {
    generation.is_fresh(now, 300);
    generation.is_due(now, 60);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  string_view input = fuzz::view(data, size);
  read_record(input);
  if (input.empty()) return 0;
  const bool json = data[0] & 1;
  input.remove_prefix(1);
  read_answer(json ? "application/json" : "text/plain; charset=utf-8", input);
  read_answer(fuzz::take_line(input), input);

  // A URL of its own, and a record as a seed of hostile ones: one byte of it changed by the input's own.
  Generation generation;
  generation.number = size;
  hls::Url url;
  hls::Url base;
  FUZZ_REQUIRE(hls::parse_url("https://up.example/a/", base));
  if (hls::resolve_reference(base, input, url) == hls::Reference::http &&
      url.text().size() <= hls::LinkWriter::kMaxUrl) {
    require_expiry(url);
    generation.answer.url = url;
    require_flat(generation);
    string bytes = generation.serialise();
    std::size_t sum = 0;
    for (unsigned char c : input) sum = sum * 31 + c;
    bytes[sum % bytes.size()] = static_cast<char>(sum >> 16);
    read_record(bytes);
  }
  return 0;
}
