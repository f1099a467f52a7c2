// Whole playlists: those of this directory, and a corpus of public projects' fixtures where there is one
// (environment HLS_CORPUS, else ../shared/playlists beside the checkout).
//
// What comes out is checked by other means than those of the rewriter: lines and attributes are split here,
// by the letter of RFC 8216bis 4.2, and libcurl resolves the references. All bytes between links are equal.

#include <curl/curl.h>
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>

#include "playlist_fixture.h"

namespace {

using fixture::Case;
using hls::RewriteError;
using Values = std::map<std::string, std::string>;

constexpr std::string_view kDirectory = "https://up.example/live/ch1/";
constexpr std::string_view kBase = "https://up.example/live/ch1/index.m3u8?aParam=A%2FB&b=2&tok=3";

// --- An independent resolver.

// What url.h says is escaped; libcurl escapes less.
std::string escape(std::string_view text) {
  std::string escaped;
  for (unsigned char c : text) {
    char hex[4];
    if (c > 0x20 && c < 0x7F && !std::strchr("\"<>\\^`{|}", c)) escaped += static_cast<char>(c);
    else std::snprintf(hex, sizeof hex, "%%%02X", c), escaped += hex;
  }
  return escaped;
}

// The host in lower case, no fragment, and libcurl's loss of an empty query made good for both.
std::string normal(std::string url) {
  url.erase(std::min(url.find('#'), url.size()));
  if (!url.empty() && url.back() == '?') url.pop_back();
  std::size_t host = url.find("://") + 3;
  for (std::size_t i = host; i < url.size() && !std::strchr("/?", url[i]); ++i) {
    if (url[i] >= 'A' && url[i] <= 'Z') url[i] = static_cast<char>(url[i] + 32);
  }
  return url;
}

// Empty where libcurl finds no URL. Of relative paths it merges a leading "./" by rules of its own (7.88
// loses a slash of ".//a"): they are put behind the directory here, and it removes the dot segments.
std::string resolve(std::string_view reference) {
  CURLU *url = curl_url();
  std::string resolved;
  char *text = nullptr;
  std::string given = escape(reference);
  if (given[0] == '.') given.insert(0, kDirectory);
  if (curl_url_set(url, CURLUPART_URL, std::string(kBase).c_str(), 0) == CURLUE_OK &&
      curl_url_set(url, CURLUPART_URL, given.c_str(), 0) == CURLUE_OK &&
      curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK) {
    resolved = normal(text);
  }
  curl_free(text);
  curl_url_cleanup(url);
  return resolved;
}

std::string scheme(std::string_view reference) {
  std::string name;
  for (char c : reference) {
    if (c == ':') return name;
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && (name.empty() || !std::strchr("0123456789+-.", c))) return "";
    name += letter ? static_cast<char>(c | 32) : c;
  }
  return "";
}

// --- An independent reader of lines.

std::string_view trim(std::string_view text) {
  std::size_t from = text.find_first_not_of(" \t");
  if (from == text.npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

struct Piece {
  std::string_view name, value;
  bool closed = true;
};

// By the letter: a value that begins with a quote ends with the next one, any other at a comma.
std::vector<Piece> split_attributes(std::string_view list) {
  std::vector<Piece> pieces;
  while (!list.empty()) {
    std::size_t name_end = std::min(list.find_first_of("=,"), list.size());
    Piece piece{trim(list.substr(0, name_end)), {}};
    bool has_value = name_end < list.size() && list[name_end] == '=';
    list.remove_prefix(name_end + has_value);
    std::string_view value = trim(list);
    if (has_value && !value.empty() && value[0] == '"') {
      list.remove_prefix(list.find('"') + 1);
      std::size_t quote = std::min(list.find('"'), list.size());
      piece.closed = quote < list.size();
      piece.value = list.substr(0, quote);
      list.remove_prefix(quote + piece.closed);
    } else if (has_value) {
      value = trim(list.substr(0, list.find(',')));
      piece.value = value.substr(0, value.find_first_of(" \t"));
    }
    if (has_value) pieces.push_back(piece);
    list.remove_prefix(std::min(std::min(list.find(','), list.size()) + 1, list.size()));
  }
  return pieces;
}

// Where a tag has URIs, and whether they may be playlists.
struct UriRule {
  const char *tag, *attribute;
  bool playlist;
};

const UriRule kRules[] = {
    {"#EXT-X-MEDIA", "URI", true},           {"#EXT-X-I-FRAME-STREAM-INF", "URI", true},
    {"#EXT-X-SESSION-DATA", "URI", false},   {"#EXT-X-SESSION-KEY", "URI", false},
    {"#EXT-X-KEY", "URI", false},            {"#EXT-X-MAP", "URI", false},
    {"#EXT-X-PART", "URI", false},           {"#EXT-X-PRELOAD-HINT", "URI", false},
    {"#EXT-X-RENDITION-REPORT", "URI", true}, {"#EXT-X-DATERANGE", "X-ASSET-URI", true},
    {"#EXT-X-DATERANGE", "X-ASSET-LIST", true}, {"#EXT-X-DATERANGE", "X-URI", true},
    {"#EXT-X-IMAGE-STREAM-INF", "URI", true},
};

struct Found {
  std::string_view text;
  std::optional<bool> playlist;   // empty: not for this test to say
  bool closed = true;
};

std::vector<Found> find_uris(std::string_view line) {
  std::string_view text = trim(line);
  if (text.empty()) return {};
  if (text[0] != '#') return {{text, {}}};
  std::size_t colon = std::min(text.find(':'), text.size());
  std::string_view tag = text.substr(0, colon), list = text.substr(std::min(colon + 1, text.size()));
  if (tag == "#EXT-X-PREFETCH" || tag == "#EXT-X-TWITCH-PREFETCH") return {{trim(list), false}};

  std::vector<Found> found;
  bool drm = false, clear = false;
  for (const Piece &piece : split_attributes(list)) {
    if (piece.name == "KEYFORMAT" && piece.value != "identity") drm = true;
    if (piece.name == "METHOD" && piece.value == "NONE") clear = true;
    for (const UriRule &rule : kRules) {
      if (tag == rule.tag && piece.name == rule.attribute) found.push_back({piece.value, rule.playlist,
          piece.closed});
    }
  }
  bool key = tag == "#EXT-X-KEY" || tag == "#EXT-X-SESSION-KEY";
  return key && (drm || clear) ? std::vector<Found>() : found;
}

// --- Variables, by RFC 8216bis 4.3. False: one is not known.

constexpr char kNameChars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

bool expand(std::string_view text, const Values &values, std::string &to) {
  while (!text.empty()) {
    std::size_t end = text.find('}');
    if (text.substr(0, 2) == "{$" && end != text.npos) {
      std::string name(text.substr(2, end - 2));
      if (!name.empty() && name.find_first_not_of(kNameChars) == name.npos) {
        auto value = values.find(name);
        if (value == values.end()) return false;
        to += value->second;
        text.remove_prefix(end + 1);
        continue;
      }
    }
    to += text[0];
    text.remove_prefix(1);
  }
  return true;
}

std::optional<std::string> query_parameter(const std::string &name) {
  const Values parameters = {{"aParam", "A/B"}, {"b", "2"}, {"tok", "3"}};   // of kBase, decoded by hand
  auto found = parameters.find(name);
  return found == parameters.end() ? std::nullopt : std::optional<std::string>(found->second);
}

// --- The comparison.

class Checker {
public:
  Checker(const std::string &name, std::string_view original, const fixture::Outcome &outcome)
      : name_(name), left_(original), out_(outcome.bytes), outcome_(outcome) {}

  bool check() {
    if (left_.substr(0, 3) == "\xEF\xBB\xBF") {
      same(left_.substr(0, 3));
      left_.remove_prefix(3);
    }
    RewriteError expected = RewriteError::none;
    while (!left_.empty() && expected == RewriteError::none && ok_) {
      std::size_t end = std::min(left_.find_first_of("\r\n"), left_.size());
      std::size_t next = end == left_.size() ? end : end + (left_.substr(end, 2) == "\r\n" ? 2 : 1);
      expected = line(left_.substr(0, end), left_.substr(end, next - end));
      left_.remove_prefix(next);
      ++lines_;
    }
    if (ok_ && outcome_.error != expected) {
      mismatch(std::string("wanted ") + hls::describe(expected) + ", got " + hls::describe(outcome_.error));
    }
    if (ok_ && expected == RewriteError::none && !out_.empty()) mismatch("more than the original");
    return ok_;
  }

  std::size_t uris() const { return uris_; }

private:
  RewriteError line(std::string_view text, std::string_view line_end) {
    std::string_view tag = trim(text).substr(0, trim(text).find(':'));
    if (tag == "#EXT-X-CONTENT-STEERING") return RewriteError::none;
    if (tag == "#EXT-X-DEFINE" && define(text)) {
      same(line_end);
      return RewriteError::none;
    }
    bool pending = stream_pending_;
    if (tag == "#EXT-X-STREAM-INF") stream_pending_ = true;

    for (Found &uri : find_uris(text)) {
      bool is_line = trim(text)[0] != '#';
      if (is_line) {
        stream_pending_ = false;
        if (pending) uri.playlist = true;
      }
      RewriteError error = one_uri(uri, text);
      if (error != RewriteError::none) return error;
      if (!ok_) return error;
    }
    same(text);
    same(line_end);
    return RewriteError::none;
  }

  // `text` begins where the comparison stands; it is moved on behind the URI.
  RewriteError one_uri(const Found &uri, std::string_view &text) {
    if (!uri.closed) return RewriteError::unterminated_quote;
    std::string_view raw = trim(uri.text);
    std::string reference;
    if (!expand(raw, values_, reference)) return RewriteError::unknown_variable;
    reference = std::string(trim(reference));
    std::string its_scheme = scheme(reference);
    bool http = its_scheme.empty() || its_scheme == "http" || its_scheme == "https";
    if (!http || reference.empty() || reference[0] == '#') return RewriteError::none;

    std::size_t before = static_cast<std::size_t>(raw.data() - text.data());
    same(text.substr(0, before));
    text.remove_prefix(before + raw.size());
    if (ok_) link(reference, uri.playlist);
    return RewriteError::none;
  }

  void link(const std::string &reference, std::optional<bool> playlist) {
    std::string_view site = fixture::kSite, mount = fixture::kMount;
    if (out_.substr(0, site.size()) == site) out_.remove_prefix(site.size());
    if (out_.substr(0, mount.size()) != mount) return mismatch("no link for " + reference);
    out_.remove_prefix(mount.size());
    std::size_t end = 0;
    while (end < out_.size() && fixture::is_link_byte(out_[end])) ++end;
    hls::Link opened;
    bool opens = relay_.open(out_.substr(0, end), opened) == hls::LinkState::ok;
    out_.remove_prefix(end);
    std::string wanted = resolve(reference);
    std::string got = opens ? normal(std::string(opened.url.text())) : "";
    if (got != wanted) mismatch(reference + " became " + got + ", libcurl has " + wanted);
    if (playlist && *playlist != (opened.kind == hls::LinkKind::playlist)) mismatch("wrong kind of "
        + reference);
    ++uris_;
  }

  // True: the line is one that is written anew.
  bool define(std::string_view text) {
    std::string_view list = trim(text).substr(std::min<std::size_t>(trim(text).size(), 14));
    std::map<std::string_view, std::string_view> attributes;
    for (const Piece &piece : split_attributes(list)) attributes[piece.name] = piece.value;
    std::string name(attributes["NAME"]);
    if (attributes.count("VALUE") && !name.empty()) {
      std::string value;
      if (expand(attributes["VALUE"], values_, value)) values_[name] = value;
    }
    std::string parameter(attributes["QUERYPARAM"]);
    std::optional<std::string> value = query_parameter(parameter);
    if (!name.empty() || !value) return false;
    values_[parameter] = *value;
    same("#EXT-X-DEFINE:NAME=\"" + parameter + "\",VALUE=\"" + *value + "\"");
    return true;
  }

  void same(std::string_view bytes) {
    if (!ok_) return;
    if (out_.substr(0, bytes.size()) != bytes) {
      return mismatch("wanted " + tap::quoted(bytes) + ", got " + tap::quoted(out_.substr(0, bytes.size())));
    }
    out_.remove_prefix(bytes.size());
  }

  void mismatch(const std::string &what) {
    ok_ = false;
    tap::check(false, name_ + ", line " + std::to_string(lines_ + 1) + ": " + what);
  }

  std::string name_;
  std::string_view left_, out_;
  const fixture::Outcome &outcome_;
  fixture::Relay relay_;
  Values values_;
  bool stream_pending_ = false, ok_ = true;
  std::size_t uris_ = 0, lines_ = 0;
};

struct Totals {
  std::size_t playlists = 0, uris = 0, refused = 0;
};

void check_playlist(const std::string &name, const std::string &text, Totals &totals) {
  Case c{name, text, "", {}, 0, std::string(kBase)};
  fixture::Outcome whole = fixture::rewrite(c);
  Checker checker(name, text, whole);
  tap::check(checker.check(), name);
  ++totals.playlists;
  totals.uris += checker.uris();
  totals.refused += whole.error != RewriteError::none;

  std::vector<std::size_t> cuts[4];
  for (std::size_t i = 1; i < text.size(); ++i) cuts[0].push_back(i);
  std::mt19937 random(text.size());
  for (std::size_t step : {3u, 40u, 1400u}) {
    std::vector<std::size_t> &some = cuts[step == 3 ? 1 : step == 40 ? 2 : 3];
    for (std::size_t at = 0; (at += 1 + random() % step) < text.size();) some.push_back(at);
  }
  for (const auto &cut : cuts) fixture::check_split(c, whole, cut, "in "
      + std::to_string(cut.size() + 1) + " pieces");
  tap::check(fixture::rewrite(c, cuts[2], true) == whole, name + ": stopped at every line");
}

bool is_directory(const std::string &path) {
  struct stat st;
  return stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
}

void check_directory(const std::string &path, Totals &totals) {
  DIR *directory = opendir(path.c_str());
  if (!tap::check(directory, "open " + path)) return;
  std::vector<std::string> names;
  while (dirent *entry = readdir(directory)) names.push_back(entry->d_name);
  closedir(directory);
  std::sort(names.begin(), names.end());
  for (const std::string &name : names) {
    std::string full = path + "/" + name;
    if (name[0] == '.') continue;
    if (is_directory(full)) {
      check_directory(full, totals);
    } else if (name.find(".m3u") != name.npos) {
      std::ifstream file(full, std::ios::binary);
      check_playlist(full, {std::istreambuf_iterator<char>(file), {}}, totals);
    }
  }
}

// The checkout: the first directory above the program, or above the working directory, that has these files.
std::string root() {
  char program[4096] = "";
  char working[4096] = "";
  if (readlink("/proc/self/exe", program, sizeof program - 1) < 0) program[0] = '\0';
  if (!getcwd(working, sizeof working)) working[0] = '\0';
  for (std::string path : {std::string(program), std::string(working) + "/x"}) {
    while (path.find('/') != path.npos) {
      path.erase(path.rfind('/'));
      if (is_directory(path + "/t/unit/playlists")) return path;
    }
  }
  return "";
}

std::string corpus() {
  const char *path = std::getenv("HLS_CORPUS");
  return path ? path : root() + "/../shared/playlists";
}

void report(const Totals &totals) {
  std::printf("# %zu playlists, %zu links, %zu refused\n", totals.playlists, totals.uris, totals.refused);
}

void check_own() {
  Totals totals;
  check_directory(root() + "/t/unit/playlists", totals);
  tap::check(totals.playlists >= 12 && totals.uris > 90, "they were all found");
  report(totals);
}

void test_own(void **) {
  check_own();
  TAP_FINISH();
}

bool has_corpus() { return is_directory(corpus()); }

void check_corpus() {
  Totals totals;
  check_directory(corpus(), totals);
  tap::check(totals.uris > 0, "there are URIs in it");
  report(totals);
}

void test_corpus(void **) {
  if (!has_corpus()) {
    std::printf("# skipped: no corpus; HLS_CORPUS names its directory\n");
    return;   // not cmocka's skip(): 1.1.5 prints it as "not ok", which prove counts as a failure
  }
  check_corpus();
  TAP_FINISH();
}

}  // namespace

TAP_MAIN(cmocka_unit_test(test_own), cmocka_unit_test(test_corpus))
