// hls_proxy_zone: what all workers know of the streams. It survives reloads and crashes of workers, so what
// is read from it is checked, and only the slab's own mutex is taken (the master unlocks that one after a
// crash). If the crash came while something was being changed, all but the counters starts anew. A stream
// that nobody has asked for longest goes first when there is no more room.

#ifndef NGX_HTTP_HLS_PROXY_ZONE_H
#define NGX_HTTP_HLS_PROXY_ZONE_H

extern "C" {
#include <ngx_config.h>
#include <ngx_core.h>
}

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/generation.h"
#include "core/playlist_index.h"
#include "core/rebind.h"

namespace hls_proxy {

/// What a link died of: 403, 404, 410, 429, 451, another status of refresh_on; no answer in time; 5xx or no
/// connection; a 200 that is not what the link is for.
enum class RefreshCause : std::uint8_t { s403, s404, s410, s429, s451, status, timeout, error, invalid };
constexpr std::size_t kRefreshCauses = 9;

/// Counted since the zone was made. Plain atomics: no lock is needed to add to one.
struct Counters {
  ngx_atomic_t resolves, failed_resolves;
  ngx_atomic_t refreshes[kRefreshCauses];        // links that died, by what they died of
  ngx_atomic_t rebinds[hls::kRebindRules];       // index: RebindRule
  ngx_atomic_t refusals[hls::kRebindRefusals];   // index: RebindRefusal
  ngx_atomic_t waits;                            // requests that waited for another one's resolve
  ngx_atomic_t evictions;                        // streams that went for want of room
};

inline void count(ngx_atomic_t &counter) { ngx_atomic_fetch_add(&counter, 1); }

/// Methods throw nothing but std::bad_alloc. A full zone fails none of them: what has no room is not kept,
/// and a place that cannot be noted down is given to everybody who asks.
class Zone {
public:
  // ---- configuration -----------------------------------------------------------------------------

  /// Adds the shared memory "name" of `size` bytes to the cycle; null: nginx has said why. The Zone lives in
  /// the configuration's pool; its methods below may be used once workers run.
  static Zone *create(ngx_conf_t *cf, std::string_view name, size_t size);

  std::string_view name() const;

  // ---- resolving: one worker at a time -----------------------------------------------------------

  enum class Claim {
    ready,    // `generation` is what was needed
    lead,     // the place is ours until publish(), fail() or the end of `deadline`: resolve
    wait,     // another request resolves
    failed,   // not again before the cooldown is over; `failure` is the status that it ended with
  };
  struct Need {
    std::uint64_t newer_than = 0;   // a generation with a greater number; 0: any that is fresh for `ttl`
    std::uint64_t ttl = 0;          // seconds
    ngx_msec_t deadline = 0;        // how long the place is kept, if it becomes ours
    std::optional<ngx_msec_t> since;   // who waits, and since when: what has come since, answer or failure, was
                                       // waited for
    bool may_lead = true;           // false: `wait` in place of `lead`
    bool renew = false;             // in the background: lead if nobody does, whatever is there; never `wait`
                                    // or `failed` for a reason that matters
  };
  struct Claimed {
    Claim claim = Claim::failed;
    hls::Generation generation;   // of ready
    ngx_uint_t failure = 0;       // of failed; 0: the last resolve worked, it is only too early for another
    std::uint64_t current = 0;    // number of the generation that is there, of whatever age; 0: none
  };
  Claimed claim(std::string_view stream, const Need &need);

  /// The answer of a resolve that was ours to make. `forced`: it was asked for because links died, so that
  /// the next one has to keep `cooldown` (ms). Returns the new generation with its number, which is greater
  /// than any that this zone gave before, to whatever stream. A zone that is too full does not keep it.
  hls::Generation publish(std::string_view stream, const hls::ResolverAnswer &answer, bool forced,
                          ngx_msec_t cooldown);
  void fail(std::string_view stream, ngx_uint_t status, ngx_msec_t cooldown);
  /// Gives the place up without a result: the next one to claim gets it.
  void abandon(std::string_view stream);
  /// Frees all places that this process holds (it is about to end).
  void abandon_all();

  /// Grows whenever a place is given up: who waits looks again when it has changed. No lock. It does not grow
  /// when the one who resolves is killed or exceeds its deadline: look again now and then, too.
  ngx_atomic_uint_t changes() const;

  // ---- what is known of a stream -----------------------------------------------------------------

  /// The newest generation, of whatever age; nothing: none. `any_dead`: links of some older one are to be
  /// rebound.
  std::optional<hls::Generation> newest(std::string_view stream, bool &any_dead);

  struct Playlist {
    std::uint64_t id = 0;         // of this version of it; never used again
    hls::UrlMark asked, self;
  };
  struct Remembered {
    std::uint64_t number = 0;
    bool dead = false;
    std::string provider;
    hls::UrlMark entry;
    std::vector<Playlist> playlists;   // newest versions first
  };
  /// All generations, newest first.
  std::vector<Remembered> remembered(std::string_view stream);

  /// Its links are to be rebound from here on.
  void mark_dead(std::string_view stream, std::uint64_t number);
  /// A link of this generation was used: it is to be kept longer than others.
  void touch(std::string_view stream, std::uint64_t number);

  /// Whether remember() is worth its work: false for a complete playlist (EXT-X-ENDLIST) that is there, and
  /// for any that was taken less than a second ago.
  bool wants(std::string_view stream, std::uint64_t number, const hls::UrlMark &self);
  /// Keeps a playlist's index, without URLs, with its generation; a complete one once. Of a live one up to
  /// three versions: the newest and two earlier ones, which together name at least one whole window of
  /// segments before the newest's, without holes that were not there as they came. The newest one becomes an
  /// earlier one, and the earliest goes, when the next would leave a hole behind it otherwise, or names less
  /// at its end (a slower server, numbers that start again). Of playlists without segments the last three
  /// different ones.
  void remember(std::string_view stream, std::uint64_t number, const hls::PlaylistIndex &index);
  /// False: it is no longer there.
  bool read_playlist(std::string_view stream, std::uint64_t id, hls::PlaylistIndex &index);

  // ---- for the status page -----------------------------------------------------------------------

  Counters &counters();
  size_t streams();

private:
  static Claim without_place(const Need &need);   // nobody resolves the stream

  // zone_memory.h
  struct Shared;
  struct Stream;
  struct Generation;
  struct Record;
  struct Version;
  class Locked;
  class Buffer;

  static ngx_int_t init(ngx_shm_zone_t *shm, void *data);
  Shared &unlocked() const;
  bool complete(std::string_view stream, std::uint64_t number, bool copied, Buffer &buffer,
                hls::Generation &generation);

  ngx_shm_zone_t *shm_ = nullptr;
};

}  // namespace hls_proxy

#endif
