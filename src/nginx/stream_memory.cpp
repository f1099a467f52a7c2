#include "stream_memory.h"

#include <set>

namespace hls_proxy {

namespace {

constexpr size_t kMaxStreams = 256;
constexpr size_t kMaxUnits = 500'000;   // of all streams: some 80 MB
constexpr ngx_msec_t kInUse = 2000;     // what was used since then is kept all the same

}  // namespace

size_t StreamMemory::units() const {
  size_t n = 0;
  for (const auto &[url, playlist] : fresh) {
    if (playlist.index) n += playlist.index->units.size() + playlist.index->addresses.size();
  }
  for (const auto &[id, playlist] : old) n += playlist->index.units.size() + playlist->urls.size();
  for (const auto &[key, pair] : pairs) n += 2 * pair.fresh->addresses.size();
  return n;
}

unsigned StreamMemory::fetches() const {
  unsigned n = 0;
  for (const auto &[url, playlist] : fresh) n += playlist.fetching;
  return n;
}

bool StreamMemory::is_in_use() const { return ngx_current_msec - used < kInUse || fetches() != 0; }

StreamMemories &StreamMemories::all() {
  static auto *memories = new StreamMemories;   // its end is the process's
  return *memories;
}

StreamMemory &StreamMemories::of(const std::string &stream) {
  auto found = by_stream_.find(stream);
  if (found != by_stream_.end()) {
    streams_.splice(streams_.begin(), streams_, found->second);
  } else {
    streams_.emplace_front().stream = stream;
    by_stream_[stream] = streams_.begin();
    shrink();
  }
  streams_.front().used = ngx_current_msec;
  return streams_.front();
}

StreamMemory *StreamMemories::find(const std::string &stream) {
  auto found = by_stream_.find(stream);
  return found == by_stream_.end() ? nullptr : &*found->second;
}

void StreamMemories::shrink() {
  size_t units = 0;
  for (const StreamMemory &memory : streams_) units += memory.units();
  while ((streams_.size() > kMaxStreams || units > kMaxUnits) && !streams_.back().is_in_use()) {
    units -= streams_.back().units();
    by_stream_.erase(streams_.back().stream);
    streams_.pop_back();
  }
}

std::shared_ptr<const OldPlaylist> read_old(Zone &zone, StreamMemory &memory, std::uint64_t id) {
  auto found = memory.old.find(id);
  if (found != memory.old.end()) return found->second;
  auto playlist = std::make_shared<OldPlaylist>();
  if (!zone.read_playlist(memory.stream, id, playlist->index)) return nullptr;
  for (const auto &address : playlist->index.addresses) playlist->urls.push_back(address.mark.url);
  std::sort(playlist->urls.begin(), playlist->urls.end());
  memory.old[id] = playlist;
  StreamMemories::all().shrink();
  return playlist;
}

void forget_old(StreamMemory &memory, const std::vector<Zone::Remembered> &remembered) {
  std::set<std::uint64_t> ids;
  for (const auto &generation : remembered) {
    for (const auto &playlist : generation.playlists) ids.insert(playlist.id);
  }
  for (auto it = memory.old.begin(); it != memory.old.end();) it = ids.count(it->first) ? ++it : memory.old.erase(it);
  for (auto it = memory.pairs.begin(); it != memory.pairs.end();) {
    bool gone = it->first.first != 0 && !ids.count(it->first.first);
    it = gone ? memory.pairs.erase(it) : ++it;
  }
}

bool occurs_in(Zone &zone, StreamMemory &memory, const Zone::Remembered &generation, std::uint64_t url) {
  if (generation.entry.url == url) return true;
  for (const auto &playlist : generation.playlists) {
    if (playlist.asked.url == url || playlist.self.url == url) return true;
  }
  for (const auto &playlist : generation.playlists) {
    auto old = read_old(zone, memory, playlist.id);
    if (old && old->names(url)) return true;
  }
  return false;
}

}  // namespace hls_proxy
