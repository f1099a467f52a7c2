#include "json_rewriter.h"

#include <array>
#include <cstddef>
#include <iterator>

#include <nlohmann/json.hpp>

#include "attribute_list.h"
#include "output.h"
#include "reference_policy.h"

namespace hls {

namespace {

// What an object or array is, by where it stands.
enum class Place : std::uint8_t {
  other,
  document,          // {"ASSETS": [...]} or {"DATERANGES": [...]}
  assets, asset,
  date_ranges, date_range,
  chapters, chapter, images, image,   // [{"images": [{"url": ...}]}]
};

enum class Member : std::uint8_t { other, assets, date_ranges, images, uri, url, asset_uri_or_list };

Member member(std::string_view name) {
  if (name == "ASSETS") return Member::assets;
  if (name == "DATERANGES") return Member::date_ranges;
  if (name == "images") return Member::images;
  if (name == "URI") return Member::uri;
  if (name == "url") return Member::url;
  if (name == "X-ASSET-URI" || name == "X-ASSET-LIST" || name == "X-URI") return Member::asset_uri_or_list;
  return Member::other;
}

Place array_place(Place parent, Member name) {
  if (parent == Place::document && name == Member::assets) return Place::assets;
  if (parent == Place::document && name == Member::date_ranges) return Place::date_ranges;
  if (parent == Place::chapter && name == Member::images) return Place::images;
  return Place::other;
}

Place object_place(Place parent) {
  switch (parent) {
    case Place::assets: return Place::asset;
    case Place::date_ranges: return Place::date_range;
    case Place::chapters: return Place::chapter;
    case Place::images: return Place::image;
    default: return Place::other;
  }
}

/// Collects what is written in a string.
class StringOutput : public Output {
public:
  explicit StringOutput(std::string &to) : to_(to) {}

  void finish() {
    if (pos_) to_.append(window_.data(), static_cast<std::size_t>(pos_ - window_.data()));
    pos_ = window_.data();
  }

private:
  void next_window(std::size_t) override {
    finish();
    end_ = window_.data() + window_.size();
  }

  std::string &to_;
  std::array<char, kMaxReserve> window_;
};

/// Reads the text and tells how far: the parser's events do not say where in the text they are.
class CountingIterator {
public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char *;
  using reference = const char &;

  CountingIterator(const char *at, const char **furthest) : at_(at), furthest_(furthest) {}

  const char &operator*() const { return *at_; }
  CountingIterator &operator++() {
    *furthest_ = ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator old = *this;
    ++*this;
    return old;
  }
  bool operator==(const CountingIterator &o) const { return at_ == o.at_; }
  bool operator!=(const CountingIterator &o) const { return at_ != o.at_; }

private:
  const char *at_;
  const char **furthest_;
};

/// Takes the events of the parser and writes the text, with links in place of URIs. False ends the parse.
class Rewriter {
public:
  Rewriter(std::string_view text, const Url &base, LinkWriter &links, Output &out)
      : text_(text), base_(base), links_(links), out_(out), read_(text.data()), copied_(text.data()) {}

  JsonResult rewrite() {
    const char *end = text_.data() + text_.size();
    CountingIterator first(text_.data(), &read_), last(end, &read_);
    if (!nlohmann::ordered_json::sax_parse(first, last, this)) return JsonResult::invalid;
    out_.append({copied_, static_cast<std::size_t>(end - copied_)});
    return is_hls_ ? JsonResult::rewritten : JsonResult::not_hls;
  }

  // The interface that the parser wants.
  bool null() { return true; }
  bool boolean(bool) { return true; }
  bool number_integer(nlohmann::ordered_json::number_integer_t) { return true; }
  bool number_unsigned(nlohmann::ordered_json::number_unsigned_t) { return true; }
  bool number_float(nlohmann::ordered_json::number_float_t, const std::string &) { return true; }
  bool binary(nlohmann::ordered_json::binary_t &) { return true; }
  bool key(std::string &name) { return member_ = member(name), true; }
  bool start_object(std::size_t) { return enter(depth_ ? object_place(place()) : Place::document); }
  bool start_array(std::size_t) { return enter(depth_ ? array_place(place(), member_) : Place::chapters); }
  bool end_object() { return leave(); }
  bool end_array() { return leave(); }
  bool parse_error(std::size_t, const std::string &, const nlohmann::detail::exception &) { return false; }

  bool string(std::string &value) {
    if (depth_ == 0) return true;
    Place in = place();
    if ((in == Place::asset && member_ == Member::uri) ||
        (in == Place::date_range && member_ == Member::asset_uri_or_list)) {
      return uri(value, UriKind::automatic);
    }
    return in != Place::image || member_ != Member::url || uri(value, UriKind::image);
  }

private:
  Place place() const { return places_[depth_ - 1]; }

  bool enter(Place place) {
    if (depth_ == places_.size()) return false;
    places_[depth_++] = place;
    is_hls_ = is_hls_ || place == Place::assets || place == Place::date_ranges || place == Place::image;
    return true;
  }

  bool leave() { return --depth_, true; }

  // The event comes when the parser has read the closing quote and nothing behind it. The opening one is
  // the first before it without a backslash in front: an escaped one has an odd number of them.
  bool find_string(const char *&from, const char *&to) const {
    to = read_ - 1;
    if (to <= copied_ || *to != '"') return false;
    for (from = to - 1; from > copied_; --from) {
      if (*from == '"' && from[-1] != '\\') return ++from, true;
    }
    return false;
  }

  bool uri(std::string_view value, UriKind kind) {
    const char *from, *to;
    if (!find_string(from, to)) return false;
    ReferenceUse use = judge_reference(links_.scope(), base_, trim_blanks(value), url_);
    if (use == ReferenceUse::keep) return true;
    if (use == ReferenceUse::too_long) return false;
    out_.append({copied_, static_cast<std::size_t>(from - copied_)});
    copied_ = to;
    if (use == ReferenceUse::link) return links_.write(out_, url_, kind, nullptr, {}, true);
    links_.write_dead(out_, kind, true);
    return true;
  }

  std::string_view text_;
  const Url &base_;
  LinkWriter &links_;
  Output &out_;
  const char *read_;     // the parser is here
  const char *copied_;   // up to here `out_` is written
  std::array<Place, kMaxJsonDepth> places_{};
  std::size_t depth_ = 0;
  Member member_ = Member::other;
  bool is_hls_ = false;
  Url url_;
};

}  // namespace

JsonResult rewrite_json(std::string_view text, const Url &base, LinkWriter &links, std::string &out) {
  // The parser takes NUL for the end of the text.
  if (text.find('\0') != text.npos) return JsonResult::invalid;
  std::string rewritten;
  StringOutput output(rewritten);
  JsonResult result = Rewriter(text, base, links, output).rewrite();
  if (result != JsonResult::rewritten) return result;
  output.finish();
  out = std::move(rewritten);
  return result;
}

}  // namespace hls
