// Random streams and random rotations: a rebind never yields a URL that stands for other bytes, and finds
// the right one wherever there is something to tell it by. The model knows what every URL stands for.

#include <map>
#include <random>
#include <set>

#include "rebind_fixture.h"

#include "tap_main.h"

namespace {

using std::string;

std::mt19937 random_source(20240101);

unsigned pick(unsigned below) { return static_cast<unsigned>(random_source() % below); }
bool chance(unsigned percent) { return pick(100) < percent; }

/// What was filmed: a segment, its key and its init section are each known by a text.
struct Content {
  struct Piece {
    string id;
    unsigned milliseconds = 0;
    unsigned discontinuity = 0, key = 0, map = 0;   // 0: no key, no section
    unsigned size = 0;
    unsigned date = 0;                              // milliseconds since the start
  };
  string name;
  std::vector<Piece> pieces;

  static Content make(const string &name, unsigned count, bool keys, bool maps, bool coarse) {
    Content c;
    c.name = name;
    Piece p;
    p.key = keys;
    p.map = maps;
    for (unsigned i = 0; i < count; i++) {
      if (chance(8)) p.discontinuity++;
      if (keys && chance(15)) p.key++;
      if (maps && chance(8)) p.map++;
      p.id = name + "/" + std::to_string(i);
      p.milliseconds = coarse ? 6000 : 2000 + pick(6000);
      p.size = 1000 + pick(9000);
      c.pieces.push_back(p);
      p.date += p.milliseconds;
    }
    return c;
  }
};

enum class Names { numbered, made_up, directories, query, shifted };

/// How an origin names things just now.
struct Naming {
  string host = "a", directory = "t", token = "1";
  Names names = Names::numbered;
  unsigned shift = 0;
  string salt = "s";

  string address(const string &kind, unsigned n) const {
    string file;
    switch (names) {
      case Names::numbered: file = kind + std::to_string(n); break;
      case Names::made_up: file = kind + salt + std::to_string(std::hash<string>()(salt +
          kind + std::to_string(n))); break;
      case Names::directories: file = salt + kind + std::to_string(n) + "/" + kind; break;
      case Names::query:
        return "https://" + host + ".example/" + directory + "/get?f=" + kind + std::to_string(n) +
                                "&t=" + token;
      case Names::shifted: file = kind + std::to_string(n + shift); break;
    }
    return "https://" + host + ".example/" + directory + "/" + file + ".x?t=" + token;
  }
};

struct Form {
  bool vod = false, dated = false, one_file = false, explicit_iv = false;
};

/// A playlist, and what each of its URLs stands for.
struct Published {
  fixture::Media media;
  std::map<string, string> stands_for;
  struct Item {
    string url, meaning;
    std::optional<std::uint64_t> at;
  };
  std::vector<Item> items;

  void add(const string &url, const string &meaning, std::optional<std::uint64_t> at) {
    stands_for[url] = meaning;
    items.push_back({url, meaning, at});
  }
};

string date_text(unsigned milliseconds) {
  char text[64];
  std::snprintf(text, sizeof text, "2024-01-01T%02u:%02u:%02u.%03uZ", milliseconds / 3600000,
                milliseconds / 60000 % 60, milliseconds / 1000 % 60, milliseconds % 1000);
  return text;
}

Published publish(const Content &content, const Naming &naming, const Form &form, unsigned from,
                  unsigned count,
                  unsigned numbered_from) {
  Published p;
  p.media.base = "https://" + naming.host + ".example/" + naming.directory + "/index.m3u8?t=" + naming.token;
  p.media.ended = form.vod;
  p.media.sequence = numbered_from;
  p.media.head = "#EXT-X-DISCONTINUITY-SEQUENCE:" + std::to_string(content.pieces[from].discontinuity) + "\n";
  unsigned key = 0, map = 0, offset = 0;
  for (unsigned i = 0; i < from; i++) offset += content.pieces[i].size;
  for (unsigned i = from; i < from + count; i++) {
    const Content::Piece &piece = content.pieces[i];
    fixture::Segment s;
    s.duration = std::to_string(piece.milliseconds / 1000) + "." + std::to_string(1000 +
        piece.milliseconds % 1000).substr(1);
    if (i > from &&
        piece.discontinuity != content.pieces[i - 1].discontinuity) s.tags += "#EXT-X-DISCONTINUITY\n";
    if (form.dated) s.tags += "#EXT-X-PROGRAM-DATE-TIME:" + date_text(piece.date) + "\n";
    if (piece.key != key) {
      string url = naming.address("key", piece.key);
      s.tags += "#EXT-X-KEY:METHOD=AES-128,URI=\"" + url + "\"" +
                (form.explicit_iv ? ",IV=0x" + std::to_string(piece.key) : "") + "\n";
      p.add(url, content.name + " key " + std::to_string(piece.key), std::nullopt);
    }
    if (piece.map != map) {
      string url = naming.address("init", piece.map);
      s.tags += "#EXT-X-MAP:URI=\"" + url + "\"\n";
      p.add(url, content.name + " map " + std::to_string(piece.map), std::nullopt);
    }
    key = piece.key;
    map = piece.map;
    s.uri = naming.address("seg", form.one_file ? 0 : i);
    if (form.one_file) {
      s.tags += "#EXT-X-BYTERANGE:" + std::to_string(piece.size) + "@" + std::to_string(offset) + "\n";
      offset += piece.size;
      p.add(s.uri, content.name, std::nullopt);
    } else {
      p.add(s.uri, piece.id, numbered_from + (i - from));
    }
    p.media.segments.push_back(s);
  }
  return p;
}

Naming rotate(Naming naming, bool names) {
  if (chance(50)) naming.host = "b";
  if (chance(50)) naming.directory = "u";
  if (chance(60)) naming.token = "2";
  if (!names) return naming;
  naming.salt = "r";
  if (naming.names == Names::numbered && chance(50)) naming.names = Names::made_up;
  return naming;
}

struct Counts {
  unsigned accepted = 0, refused = 0, wrong = 0, missed = 0;
  std::set<string> rules, reasons;
};

/// Rebinds every item of `old`; `must` says which of them have to be found.
template <typename Must>
void try_all(const Published &old, const Published &fresh, bool known, Counts &counts, Must must) {
  hls::PlaylistIndex before = fixture::remembered(old.media.base, old.media.text());
  hls::PlaylistIndex after = fixture::index(fresh.media.base, fresh.media.text());
  tap::check(fixture::read_error.empty(), "the model's playlists are read");
  hls::MediaRebinder rebinder(known ? &before : nullptr, after);
  std::set<string> there;
  for (const auto &item : fresh.items) there.insert(item.meaning);
  for (const auto &item : old.items) {
    std::optional<hls::Position> at;
    if (item.at) at = hls::Position{before.parent(), *item.at, -1};
    hls::Rebound rebound = rebinder.rebind(hls::DeadUrl(fixture::url(item.url), at));
    if (rebound) {
      counts.accepted++;
      counts.rules.insert(hls::name_of(rebound.rule));
      auto found = fresh.stands_for.find(rebound.url);
      if (found == fresh.stands_for.end() || found->second != item.meaning) {
        counts.wrong++;
        if (counts.wrong < 4) {
          tap::check(false, item.url + " became " + fixture::show(rebound) + "\n" + old.media.text() + "\n" +
                                fresh.media.text());
        }
      }
    } else {
      counts.refused++;
      counts.reasons.insert(hls::name_of(rebound.refusal));
      if (there.count(item.meaning) && must(item)) {
        counts.missed++;
        if (counts.missed < 4) {
          tap::check(false,
                     item.url + " was refused: " + fixture::show(rebound) + "\n" + old.media.text() + "\n" +
                                fresh.media.text());
        }
      }
    }
  }
}

void check_rotations() {
  Counts counts;
  for (int round = 0; round < 1500; round++) {
    Form form;
    form.vod = chance(50);
    form.dated = chance(50);
    form.one_file = form.vod && chance(15);
    form.explicit_iv = chance(30);
    const unsigned count = 4 + pick(12);
    Content film = Content::make("film", count, chance(50), chance(50), chance(20));
    Naming naming;
    naming.names = static_cast<Names>(pick(4));
    const bool names = chance(50);
    const Naming rotated = rotate(naming, names);
    unsigned window = form.vod ? count : 2 + pick(count - 2);
    unsigned first = form.vod ? 0 : pick(count - window +
                                         1), second = form.vod ? 0 : pick(count - window + 1);
    Published old = publish(film, naming, form, first, window, first);
    Published fresh = publish(film, rotated, form, second, window, second);
    // A window that went back may be another one that was numbered anew, unless dates or paths say that it
    // is not.
    const bool onward = second >= first || rotated.directory == naming.directory;
    const bool tell = form.vod || form.dated || (!names && naming.names == Names::numbered && onward);
    bool known = chance(85);
    // A key or section whose segments have left the window has no place any more: they may be missed.
    try_all(old, fresh, known, counts, [&](const Published::Item &item) {
      return known && tell && (form.vod || item.at);
    });
  }
  tap::equal("wrong ones", counts.wrong, 0);
  tap::equal("missed ones", counts.missed, 0);
  tap::check(counts.accepted > 8000, "many were found: " + std::to_string(counts.accepted));
  tap::check(counts.rules == std::set<string>{"same_path", "same_name", "same_place"}, "by every rule");
}

/// Something that a rotation must not do.
void spoil(Content &content, unsigned how, unsigned from) {
  std::vector<Content::Piece> &pieces = content.pieces;
  unsigned at = from + pick(static_cast<unsigned>(pieces.size()) - from);
  switch (how) {
    case 0:   // another episode
      content = Content::make("other", static_cast<unsigned>(pieces.size()), pieces[0].key, pieces[0].map,
                              false);
      break;
    case 1:   // an advertisement before a segment
      pieces.insert(pieces.begin() + at, pieces[at]);
      pieces[at].id = "ad";
      pieces[at].milliseconds = 1000 + pick(900);
      for (std::size_t i = at; i < pieces.size(); i++) pieces[i].discontinuity += i == at ? 1 : 2;
      for (std::size_t i = at + 1; i < pieces.size(); i++) pieces[i].date += pieces[at].milliseconds;
      break;
    case 2:   // a segment is gone
      pieces.erase(pieces.begin() + at);
      break;
    case 3:   // another segmentation
      content.name = "recut";
      for (Content::Piece &p : pieces) {
        p.id = "recut " + p.id;
        p.milliseconds += 1 + pick(500);
        p.size += 1 + pick(100);
      }
      break;
    case 4:   // two segments in another order
      if (at + 1 < pieces.size() && pieces[at].milliseconds != pieces[at + 1].milliseconds) {
        std::swap(pieces[at].id, pieces[at + 1].id);
        std::swap(pieces[at].milliseconds, pieces[at + 1].milliseconds);
        std::swap(pieces[at].size, pieces[at + 1].size);
      }
      break;
  }
}

// Nothing may be found but what still stands for the same: most is refused.
void check_spoilt() {
  Counts counts;
  for (int round = 0; round < 3000; round++) {
    Form form;
    form.vod = chance(60);
    form.dated = chance(50);
    form.one_file = form.vod && chance(15);
    form.explicit_iv = chance(30);
    const unsigned count = 6 + pick(10);
    Content film = Content::make("film", count, chance(30), chance(30), false);
    Content other = film;
    const unsigned how = pick(5);
    spoil(other, how, 0);
    Naming naming;
    naming.names = static_cast<Names>(pick(4));
    Naming rotated = rotate(naming, chance(40));
    // Names are numbers of the place, so that those of the spoilt playlist lie: only memory can tell.
    unsigned length = static_cast<unsigned>(other.pieces.size());
    unsigned window = form.vod ? length : 3 + pick(length - 4);
    unsigned first = form.vod ? 0 : pick(std::min(count, length) - std::min(window, std::min(count,
                                                                                             length)) + 1);
    window = std::min(window, length - first);
    Published old = publish(film, naming, form, first, std::min(window, count - first), first);
    Published fresh = publish(other, rotated, form, first, window, first);
    try_all(old, fresh, true, counts, [](const Published::Item &) { return false; });
  }
  tap::equal("wrong ones", counts.wrong, 0);
  tap::check(counts.refused > 10000, "many were refused: " + std::to_string(counts.refused));
}

// Live numbers that begin anew, and names that run on: the number or the name lies.
void check_renumbered() {
  Counts counts;
  for (int round = 0; round < 1500; round++) {
    Form form;
    form.dated = chance(50);
    form.vod = chance(20);
    const unsigned count = 8 + pick(8);
    Content film = Content::make("film", count, chance(30), chance(30), form.dated && chance(30));
    Naming naming;
    naming.names = chance(50) ? Names::shifted : static_cast<Names>(pick(4));
    Naming rotated = rotate(naming, chance(30));
    unsigned first = form.vod ? 0 : pick(4), second = form.vod ? 0 : pick(4), window = count - 4;
    unsigned shift = pick(3);
    Published old = publish(film, naming, form, first, window, first);
    if (chance(50)) rotated.shift = shift;
    Published fresh = publish(film, rotated, form, second, window, second + (rotated.shift ? 0 : shift));
    // A path that is used anew for other bytes is found out by memory alone.
    const bool known = chance(70) || rotated.shift != 0;
    try_all(old, fresh, known, counts, [](const Published::Item &) { return false; });
  }
  tap::equal("wrong ones", counts.wrong, 0);
  tap::check(counts.accepted > 500 && counts.refused > 1000,
             std::to_string(counts.accepted) + " found, " + std::to_string(counts.refused) + " refused");
}

void test_rotations(void **) {
  check_rotations();
  TAP_FINISH();
}

void test_spoilt(void **) {
  check_spoilt();
  TAP_FINISH();
}

void test_renumbered(void **) {
  check_renumbered();
  TAP_FINISH();
}

}  // namespace

TAP_MAIN(cmocka_unit_test(test_rotations), cmocka_unit_test(test_spoilt), cmocka_unit_test(test_renumbered))
