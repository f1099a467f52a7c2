// What a worker keeps of streams whose links have died: playlists of old generations, read back from the zone,
// and those of the newest one, freshly fetched. Parsed, so that 2000 links of an old playlist cost one fetch.

#ifndef NGX_HTTP_HLS_PROXY_STREAM_MEMORY_H
#define NGX_HTTP_HLS_PROXY_STREAM_MEMORY_H

#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/playlist_index.h"
#include "core/rebind.h"
#include "zone.h"

namespace hls_proxy {

/// A playlist of an earlier one, read back from the zone.
struct OldPlaylist {
  hls::PlaylistIndex index;
  std::vector<std::uint64_t> urls;   // sorted: hashes of a hash table's own could be made to collide

  bool names(std::uint64_t url) const { return std::binary_search(urls.begin(), urls.end(), url); }
};

/// A playlist of the newest generation.
struct FreshPlaylist {
  std::shared_ptr<const hls::PlaylistIndex> index;
  std::string variables;
  std::string failure;
  ngx_msec_t at = 0;          // when the index or the failure came
  bool fetching = false;
  bool refused = false;       // by its origin: no generation that lives
};

/// An old playlist, or none, and the fresh one that took its place.
struct PlaylistPair {
  std::shared_ptr<const OldPlaylist> old;
  std::shared_ptr<const hls::PlaylistIndex> fresh;
  std::unique_ptr<hls::MediaRebinder> rebinder;
};

/// Of one stream.
struct StreamMemory {
  std::string stream;
  ngx_msec_t used = 0;
  std::uint64_t number = 0;                                  // the generation that `fresh` is of
  std::map<std::string, FreshPlaylist, std::less<>> fresh;   // by URL
  std::map<std::uint64_t, std::shared_ptr<const OldPlaylist>> old;   // by the zone's id
  std::map<std::pair<std::uint64_t, std::string>, PlaylistPair> pairs;   // by id (0: none) and URL

  size_t units() const;      // segments, parts and URLs
  unsigned fetches() const;  // under way
  bool is_in_use() const;
};

/// Of all streams; the one used longest ago goes when they become too many.
class StreamMemories {
public:
  /// Those of this worker.
  static StreamMemories &all();

  StreamMemory &of(const std::string &stream);
  /// Null: there is none.
  StreamMemory *find(const std::string &stream);
  /// To be called when something has grown. Never takes a stream in use: it would be fetched again at once.
  void shrink();

private:
  std::list<StreamMemory> streams_;   // the one used last is in front
  std::unordered_map<std::string, std::list<StreamMemory>::iterator> by_stream_;
};

/// The zone's playlist of this id; null: it is no longer there.
std::shared_ptr<const OldPlaylist> read_old(Zone &zone, StreamMemory &memory, std::uint64_t id);
/// Drops what the zone has dropped.
void forget_old(StreamMemory &memory, const std::vector<Zone::Remembered> &remembered);
/// Whether the URL (UrlMark::url) is the generation's entry, one of its playlists, or named in one of them.
bool occurs_in(Zone &zone, StreamMemory &memory, const Zone::Remembered &generation, std::uint64_t url);

}  // namespace hls_proxy

#endif
