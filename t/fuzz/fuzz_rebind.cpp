// Rebinding between two playlists: whatever they say, a successor is a URL of the fresh one, at the place
// that the link names, and by a rule that says so. Input: a byte of flags, a line with the dead URL, then the
// old playlist and, behind a byte 0xFF, the fresh one; by a flag in words instead of letters, so that most
// inputs mean something.

#include <algorithm>
#include <optional>
#include <vector>

#include "fuzz.h"
#include "playlist_index.h"
#include "rebind.h"
#include "url.h"

namespace {

using hls::PlaylistIndex;
using hls::RebindRefusal;
using hls::RebindRule;
using hls::Rebound;
using std::string;
using std::string_view;

enum Flags : unsigned { kWords = 1, kFreshElsewhere = 2, kOtherProvider = 4, kTable = 8, kFreshTable = 16 };

const string_view kWordList[] = {
    "#EXTINF:6,\n0.ts\n", "#EXTINF:6,\n1.ts\n", "#EXTINF:6,\n2.ts\n", "#EXTINF:4,\n3.ts\n",
    "#EXTINF:6,\n/v/1.ts\n",
    "#EXTINF:6,\nx/1.ts\n", "#EXTINF:6,\n?n=1\n", "#EXTINF:6,\n?n=2\n", "#EXTINF:6,\ndata:,x\n",
    "#EXTINF:6,\n1.ts?t=2\n",
    "#EXT-X-ENDLIST\n", "#EXT-X-DISCONTINUITY\n", "#EXT-X-GAP\n", "#EXT-X-BYTERANGE:10@0\n",
    "#EXT-X-BYTERANGE:10\n",
    "#EXT-X-MEDIA-SEQUENCE:1\n", "#EXT-X-MEDIA-SEQUENCE:18446744073709551614\n",
    "#EXT-X-DISCONTINUITY-SEQUENCE:1\n",
    "#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:00:00Z\n", "#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:00:06.000Z\n",
    "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n", "#EXT-X-KEY:METHOD=AES-128,URI=\"k?kid=2\"\n",
    "#EXT-X-KEY:METHOD=NONE\n",
    "#EXT-X-MAP:URI=\"i.mp4\"\n", "#EXT-X-MAP:URI=\"0.ts\",BYTERANGE=\"10@0\"\n",
    "#EXT-X-PART:DURATION=2,URI=\"p0\"\n", "#EXT-X-PART:DURATION=2,URI=\"p1\"\n",
    "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"p1\"\n", "#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n",
    "#EXT-X-STREAM-INF:BANDWIDTH=1000\nlo.m3u8\n", "#EXT-X-STREAM-INF:BANDWIDTH=2000\nhi.m3u8\n",
    "#EXT-X-STREAM-INF:BANDWIDTH=2010,RESOLUTION=1x1\n?v=1\n",
    "#EXT-X-STREAM-INF:BANDWIDTH=1000\n/v/lo.m3u8?lang=1\n",
    "#EXT-X-MEDIA:TYPE=AUDIO,NAME=\"a\",URI=\"lo.m3u8\"\n",
    "#EXT-X-MEDIA:TYPE=AUDIO,NAME=\"b\",URI=\"hi.m3u8\"\n",
};

string playlist_of(string_view text, bool words) {
  string playlist = "#EXTM3U\n";
  if (!words) return playlist.append(text);
  for (unsigned char c : text) playlist += kWordList[c % std::size(kWordList)];
  return playlist;
}

hls::Url url_of(string_view text) {
  hls::Url url;
  FUZZ_REQUIRE(hls::parse_url(text, url));
  return url;
}

const PlaylistIndex::Address *find(const PlaylistIndex &index, string_view url) {
  for (const PlaylistIndex::Address &address : index.addresses) {
    if (address.text == url) return &address;
  }
  return nullptr;
}

bool same(const Rebound &a, const Rebound &b) {
  return a.refusal == b.refusal && a.rule == b.rule && a.url == b.url;
}

/// What holds of every answer.
void require_answer(const Rebound &rebound) {
  FUZZ_REQUIRE((rebound.refusal == RebindRefusal::none) == !rebound.url.empty());
  FUZZ_REQUIRE((rebound.rule == RebindRule::none) == rebound.url.empty());
  FUZZ_REQUIRE(string_view(hls::name_of(rebound.rule)) != "unknown");
  FUZZ_REQUIRE(string_view(hls::name_of(rebound.refusal)) != "unknown");
}

/// The fresh playlist has `url` at the very place, and it is to be fetched there.
bool stands_at(const PlaylistIndex &fresh, const hls::Position &at, string_view url) {
  const PlaylistIndex::Unit *unit = fresh.find_unit(at.sequence, at.part);
  if (unit && !unit->gap && unit->address != PlaylistIndex::kNone &&
      fresh.addresses[unit->address].text == url) {
    return true;
  }
  return !unit && std::any_of(fresh.hints.begin(), fresh.hints.end(), [&](const PlaylistIndex::Hint &hint) {
    return hint.sequence == at.sequence && hint.part == at.part && fresh.addresses[hint.address].text == url;
  });
}

void rebind_media(const hls::DeadUrl &dead, const PlaylistIndex *old, const PlaylistIndex &fresh) {
  const hls::MediaRebinder rebinder(old, fresh);
  const Rebound rebound = rebinder.rebind(dead);
  require_answer(rebound);
  FUZZ_REQUIRE(same(rebound, rebinder.rebind(dead)));
  if (!rebound) return;
  FUZZ_REQUIRE(fresh.type == PlaylistIndex::Type::media && !fresh.skipped);
  const PlaylistIndex::Address *address = find(fresh, rebound.url);
  FUZZ_REQUIRE(address);
  const bool same_path = address->mark.path == dead.mark.path;
  switch (rebound.rule) {
    case RebindRule::same_path: FUZZ_REQUIRE(same_path); break;
    case RebindRule::same_name: FUZZ_REQUIRE(old && address->file_name() == dead.name); break;
    case RebindRule::same_place: FUZZ_REQUIRE(old); break;
    default: FUZZ_REQUIRE(!"a rule of media");
  }
  if (dead.at) FUZZ_REQUIRE(stands_at(fresh, *dead.at, rebound.url));
  // Nothing says where it stands.
  if (!old && !dead.at) FUZZ_REQUIRE(fresh.ended);
}

bool is_row(const PlaylistIndex &table, string_view url) {
  return std::any_of(table.renditions.begin(), table.renditions.end(),
                     [&](const PlaylistIndex::Rendition &row) {
    return table.addresses[row.address].text == url;
  });
}

void rebind_entry(const hls::DeadUrl &dead, const hls::OldGeneration *old,
                  const hls::FreshGeneration &fresh) {
  const Rebound rebound = hls::rebind_playlist(dead, old, fresh);
  require_answer(rebound);
  const bool other_provider = old && old->provider != fresh.provider;
  if (rebound) {
    bool entry = rebound.url == fresh.entry->text();
    FUZZ_REQUIRE(entry || (fresh.playlist && find(*fresh.playlist, rebound.url)));
    FUZZ_REQUIRE(rebound.rule != RebindRule::entry || (entry && old));
    FUZZ_REQUIRE(rebound.rule != RebindRule::same_rendition || (old && is_row(*fresh.playlist, rebound.url)));
    FUZZ_REQUIRE(rebound.rule != RebindRule::same_path ||
                 hls::mark_of(url_of(rebound.url)).path == dead.mark.path);
    FUZZ_REQUIRE(!other_provider || rebound.rule == RebindRule::entry);
  }
  for (const hls::FreshParent &parent : hls::find_fresh_parents(dead, old, fresh)) {
    require_answer(parent.playlist);
    FUZZ_REQUIRE(!other_provider || parent.playlist.refusal == RebindRefusal::other_provider);
    bool known = !parent.old || parent.old == old->playlist ||
                 std::count(old->media.begin(), old->media.end(), parent.old) > 0;
    FUZZ_REQUIRE(known);
    if (!parent.playlist || parent.playlist.url == fresh.entry->text()) continue;
    FUZZ_REQUIRE(find(*fresh.playlist, parent.playlist.url));
  }
}

/// The dead URL of the input, and some that the old playlist names, at its places and at others.
std::vector<hls::DeadUrl> dead_urls(const hls::Url &base, string_view line, const PlaylistIndex &old) {
  std::vector<hls::DeadUrl> dead;
  hls::Url url;
  if (hls::resolve_reference(base, line, url) == hls::Reference::http) {
    dead.emplace_back(url, std::nullopt);
    dead.emplace_back(url, hls::Position{old.parent(), line.size() % 4,
                                         static_cast<std::int32_t>(line.size() % 3) - 1});
  }
  for (std::size_t i = 0; i < std::min<std::size_t>(old.addresses.size(), 8); ++i) {
    dead.emplace_back(url_of(old.addresses[i].text), std::nullopt);
  }
  for (std::size_t i = 0; i < std::min<std::size_t>(old.units.size(), 8); ++i) {
    const PlaylistIndex::Unit &unit = old.units[i];
    if (unit.address == PlaylistIndex::kNone) continue;
    hls::Position at{old.parent(), unit.sequence, unit.part};
    dead.emplace_back(url_of(old.addresses[unit.address].text), at);
    at.sequence++;
    dead.emplace_back(url_of(old.addresses[unit.address].text), at);
  }
  return dead;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  if (size == 0) return 0;
  const unsigned flags = data[0];
  string_view input = fuzz::view(data + 1, size - 1);
  const string_view line = fuzz::take_line(input);
  const std::size_t middle = std::min(input.find('\xFF'), input.size());
  const bool words = flags & kWords;
  if (words && input.size() > 512) return 0;

  const hls::Url old_base = url_of("https://a.example/v/lo.m3u8?t=1");
  const hls::Url fresh_base = url_of(flags & kFreshElsewhere ? "https://b.example/w/x.m3u8?t=2"
                                                             : "https://b.example/v/lo.m3u8?t=2");
  PlaylistIndex old, fresh, memory;
  if (hls::index_playlist(old_base, old_base, {}, playlist_of(input.substr(0, middle), words), old) !=
      hls::IndexError::none) {
    return 0;
  }
  input.remove_prefix(std::min(middle + 1, input.size()));
  if (hls::index_playlist(fresh_base, fresh_base, {}, playlist_of(input, words),
                          fresh) != hls::IndexError::none) {
    return 0;
  }
  FUZZ_REQUIRE(PlaylistIndex::deserialise(old.serialise(false), memory));

  const hls::OldGeneration remembered{flags & kOtherProvider ? "q" : "p", hls::mark_of(old_base),
                                      flags & kTable ? &memory : nullptr, {&memory, &memory}};
  const hls::FreshGeneration generation{"p", &fresh_base, flags & kFreshTable ? &fresh : nullptr};
  for (const hls::DeadUrl &dead : dead_urls(old_base, line, old)) {
    // Memory without URLs is as good as the playlist itself.
    FUZZ_REQUIRE(same(hls::MediaRebinder(&old, fresh).rebind(dead), hls::MediaRebinder(&memory,
                                                            fresh).rebind(dead)));
    rebind_media(dead, &memory, fresh);
    rebind_media(dead, nullptr, fresh);
    rebind_entry(dead, &remembered, generation);
    rebind_entry(dead, nullptr, generation);
  }
  return 0;
}
