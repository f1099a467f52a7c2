// Reference resolution. Input: a base URL, LF, a reference.

#include <vector>

#include "fuzz.h"
#include "url.h"

namespace {

using hls::Reference;
using hls::Url;
using std::string;
using std::string_view;

/// RFC 3986 5.2.4 word for word, with its input and output buffers.
string remove_dot_segments(string in) {
  string out;
  auto begins = [&](string_view prefix) { return string_view(in).substr(0, prefix.size()) == prefix; };
  auto drop_last = [&] { out.resize(out.rfind('/') == out.npos ? 0 : out.rfind('/')); };
  while (!in.empty()) {
    if (begins("../")) in.erase(0, 3);
    else if (begins("./")) in.erase(0, 2);
    else if (begins("/./")) in.erase(0, 2);
    else if (in == "/.") in = "/";
    else if (begins("/../")) in.erase(0, 3), drop_last();
    else if (in == "/..") in = "/", drop_last();
    else if (in == "." || in == "..") in.clear();
    else {
      std::size_t end = in.find('/', 1);
      out += in.substr(0, end);
      in.erase(0, end);
    }
  }
  return out;
}

string escape(string_view text) {
  string out;
  for (unsigned char c : text) {
    char hex[4];
    if (c > 0x20 && c < 0x7F && string_view("\"<>\\^`{|}").find(static_cast<char>(c)) == string_view::npos) {
      out += static_cast<char>(c);
    } else {
      std::snprintf(hex, sizeof hex, "%%%02X", c);
      out += hex;
    }
  }
  return out;
}

/// Path and query of a reference without scheme and authority (RFC 3986 5.2.2).
string path_and_query(const Url &base, string_view ref) {
  ref = ref.substr(0, ref.find('#'));
  std::size_t question = ref.find('?');
  string_view path = ref.substr(0, question);
  string query = question == ref.npos ? "" : escape(ref.substr(question));
  if (path.empty()) return string(base.directory()) + string(base.name()) + query;
  string merged = path[0] == '/' ? string(path) : string(base.directory()) + string(path);
  return escape(remove_dot_segments(merged)) + query;
}

bool is_safe(string_view text) {
  for (char c : text) {
    if (c <= 0x20 || c >= 0x7F || string_view("\"<>\\^`{|}#").find(c) != string_view::npos) return false;
  }
  return true;
}

bool has_dot_segment(string_view path) {
  for (string_view dots : {"/./", "/../"}) {
    if ((string(path) + "/").find(dots) != string::npos) return true;
  }
  return false;
}

void require_parts(const Url &url) {
  string text = url.https() ? "https://" : "http://";
  text.append(url.authority()).append(url.directory()).append(url.name());
  if (url.has_query()) text.append("?").append(url.query());
  FUZZ_REQUIRE(url.text() == text);
  FUZZ_REQUIRE(is_safe(text));
  FUZZ_REQUIRE(url.directory().front() == '/' && url.directory().back() == '/');
  FUZZ_REQUIRE(url.name().find_first_of("/?") == string_view::npos);
  FUZZ_REQUIRE(!has_dot_segment(string(url.directory()) + string(url.name())));
  FUZZ_REQUIRE(!url.host().empty() && url.port() != 0);
  string host(url.host());
  FUZZ_REQUIRE(host.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz-._:") == string::npos);
  if (host.find(':') != string::npos) host = "[" + host + "]";
  FUZZ_REQUIRE(url.host_and_port().substr(0, host.size()) == host);
  string authority = url.user_info().empty() ? "" : string(url.user_info()) + "@";
  FUZZ_REQUIRE(url.authority() == authority.append(url.host_and_port()));
}

void require_fixed_point(const Url &base, const Url &url) {
  Url again;
  FUZZ_REQUIRE(hls::parse_url(url.text(), again) && again.text() == url.text());
  FUZZ_REQUIRE(hls::resolve_reference(base, url.text(), again) == Reference::http);
  FUZZ_REQUIRE(again.text() == url.text());
  if (url.path_and_query().substr(0, 2) != "//") {
    FUZZ_REQUIRE(hls::resolve_reference(url, url.path_and_query(), again) == Reference::http);
    FUZZ_REQUIRE(again.text() == url.text());
  }
  FUZZ_REQUIRE(again.assign(url.https(), url.authority(), url.directory(), url.name(), url.has_query(),
                            url.query()));
  FUZZ_REQUIRE(again.text() == url.text());
}

/// What was taken apart elsewhere and is not to be trusted: what it accepts is a Url like any other.
void try_assign(string_view input) {
  string_view authority = fuzz::take_line(input), directory = fuzz::take_line(input);
  string_view name = fuzz::take_line(input);
  Url url;
  if (!url.assign(input.size() % 2, authority, directory, name, !input.empty(), input)) {
    FUZZ_REQUIRE(url.empty());
    return;
  }
  require_parts(url);
  require_fixed_point(url, url);
  FUZZ_REQUIRE(url.authority() == authority && url.directory() == directory && url.name() == name);
  FUZZ_REQUIRE(url.query() == input);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  string_view ref = fuzz::view(data, size);
  try_assign(ref);
  Url base;
  if (!hls::parse_url(fuzz::take_line(ref), base)) {
    FUZZ_REQUIRE(base.empty());
    hls::parse_url("https://up.example:8443/live//ch1/index.m3u8?tok=A%2FB", base);
  }
  require_parts(base);

  Url url;
  Reference kind = hls::resolve_reference(base, ref, url);
  FUZZ_REQUIRE((kind == Reference::http) == !url.empty());
  if (ref.find_first_of(string_view("\0\r\n", 3)) != ref.npos) FUZZ_REQUIRE(kind == Reference::unusable);
  if (kind != Reference::http) return 0;
  require_parts(url);
  require_fixed_point(base, url);

  if (ref.substr(0, 2) != "//" && url.https() == base.https() && url.authority() == base.authority() &&
      ref.substr(0, 4) != "http" && (ref.find(':') == ref.npos || ref.find(':') > ref.find_first_of("/?#"))) {
    FUZZ_REQUIRE(url.path_and_query() == path_and_query(base, ref));
  }
  return 0;
}
