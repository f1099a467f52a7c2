// The JSON rewriter. Input: a document.

#include <nlohmann/json.hpp>

#include "fuzz.h"
#include "json_rewriter.h"
#include "url.h"

namespace {

using fuzz::fixture;
using hls::JsonResult;
using nlohmann::json;
using std::string;
using std::string_view;

bool is_link(string_view text) { return text.substr(0, fuzz::kPublicBase.size()) == fuzz::kPublicBase; }

/// Equal but for strings that have become links.
bool matches(const json &before, const json &after) {
  if (before.is_string() && after.is_string()) {
    return before == after || is_link(after.get_ref<const string &>());
  }
  if (before.type() != after.type() || before.size() != after.size()) return false;
  if (before.is_object()) {
    for (const auto &[name, value] : before.items()) {
      if (!after.contains(name) || !matches(value, after[name])) return false;
    }
    return true;
  }
  if (before.is_array()) {
    for (std::size_t i = 0; i < before.size(); i++) {
      if (!matches(before[i], after[i])) return false;
    }
    return true;
  }
  return before == after;
}

/// Fails closed: in an asset list no URI is left that a player would fetch over HTTP.
void require_assets_rewritten(const json &document, const hls::Url &base) {
  if (!document.is_object() || !document.contains("ASSETS") || !document["ASSETS"].is_array()) return;
  for (const json &asset : document["ASSETS"]) {
    if (!asset.is_object() || !asset.contains("URI") || !asset["URI"].is_string()) continue;
    const string &uri = asset["URI"].get_ref<const string &>();
    hls::Url url;
    hls::Reference kind = hls::resolve_reference(base, uri, url);
    if (is_link(uri)) continue;
    // Blanks around a reference do not count; what is left of it may be nothing.
    FUZZ_REQUIRE(kind == hls::Reference::other || kind == hls::Reference::same_document ||
                 uri.find_first_of(" \t") != uri.npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  string_view text = fuzz::view(data, size);
  if (text.find("~relay~") != text.npos) return 0;   // it would pass for a link of ours
  static const hls::Url base = [] {
    hls::Url url;
    hls::parse_url("https://up.example/ads/list.json?tok=A%2FB", url);
    return url;
  }();

  hls::LinkWriter links(fixture().scope);
  string out = "untouched";
  JsonResult result = hls::rewrite_json(text, base, links, out);
  const json before = json::parse(text, nullptr, false);
  if (result != JsonResult::rewritten) {
    FUZZ_REQUIRE(out == "untouched");
    if (result == JsonResult::not_hls) FUZZ_REQUIRE(!before.is_discarded());
    return 0;
  }
  FUZZ_REQUIRE(!before.is_discarded());
  const json after = json::parse(out, nullptr, false);
  FUZZ_REQUIRE(!after.is_discarded() && matches(before, after));
  require_assets_rewritten(after, base);

  hls::LinkWriter fresh(fixture().scope);
  string again;
  FUZZ_REQUIRE(hls::rewrite_json(text, base, fresh, again) == JsonResult::rewritten && again == out);
  // Our own links are known, and stay.
  FUZZ_REQUIRE(hls::rewrite_json(out, base, fresh, again) == JsonResult::rewritten && again == out);
  return 0;
}
