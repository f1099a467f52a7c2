// The zone as it lies in shared memory, for its own files:
//
//   Shared                     counters, the streams by text (red-black tree) and by use (list)
//     Stream + text            who resolves, the cooldown
//       Generation + bytes     provider, hls::Generation::serialise()
//         Record               a playlist
//           Version + bytes    hls::PlaylistIndex::serialise(false)
//
// All is reached through Locked, whose life is that of the lock. std objects that may be large are made and
// read outside of it; an exception (there is only bad_alloc) unlocks on its way out.

#ifndef NGX_HTTP_HLS_PROXY_ZONE_MEMORY_H
#define NGX_HTTP_HLS_PROXY_ZONE_MEMORY_H

#include <signal.h>

#include <cerrno>
#include <type_traits>

#include "zone.h"

namespace hls_proxy {

/// Whether `a` comes after `b` on the clock of ngx_current_msec, which may wrap.
inline bool is_after(ngx_msec_t a, ngx_msec_t b) { return static_cast<ngx_msec_int_t>(a - b) > 0; }

/// A list in shared memory of T, which begins with an ngx_queue_t called `queue`.
template <class T>
class List {
public:
  class Iterator {
  public:
    explicit Iterator(ngx_queue_t *at) : at_(at) {}
    T &operator*() const { return *reinterpret_cast<T *>(at_); }
    Iterator &operator++() { return at_ = at_->next, *this; }
    bool operator!=(const Iterator &o) const { return at_ != o.at_; }

  private:
    ngx_queue_t *at_;
  };

  void clear() { ngx_queue_init(&head_); }
  T *front() { return ngx_queue_empty(&head_) ? nullptr : reinterpret_cast<T *>(head_.next); }
  T *back() { return ngx_queue_empty(&head_) ? nullptr : reinterpret_cast<T *>(head_.prev); }
  void push_front(T &t) { ngx_queue_insert_head(&head_, &t.queue); }
  void to_back(T &t) {
    remove(t);
    ngx_queue_insert_tail(&head_, &t.queue);
  }
  void remove(T &t) { ngx_queue_remove(&t.queue); }
  void to_front(T &t) {
    remove(t);
    push_front(t);
  }

  /// Null: `t` is in front.
  T *before(T &t) { return t.queue.prev == &head_ ? nullptr : reinterpret_cast<T *>(t.queue.prev); }

  Iterator begin() { return Iterator(head_.next); }
  Iterator end() { return Iterator(&head_); }

private:
  ngx_queue_t head_;
};

/// Which segments a playlist names, by media sequence number. Without `media` there are none.
struct Window {
  bool media = false;
  std::uint64_t first = 0, last = 0;
};

constexpr size_t kMaxGenerations = 8;   // of a stream
constexpr size_t kVersions = 3;         // of a playlist

struct Zone::Version {
  std::uint64_t id;
  hls::UrlMark asked;
  Window window;
  bool ended;
  size_t size;

  char *bytes() { return reinterpret_cast<char *>(this + 1); }
};

struct Zone::Record {
  ngx_queue_t queue;
  hls::UrlMark self;
  ngx_msec_t stored;
  Version *versions[kVersions];   // newest first; any may be null
};

struct Zone::Generation {
  ngx_queue_t queue;
  std::uint64_t number, resolved, expires;
  hls::UrlMark entry;
  ngx_msec_t made, used;
  bool dead, touched;
  size_t playlists;
  List<Record> records;   // the one stored last is in front
  size_t provider_size, size;

  char *provider() { return reinterpret_cast<char *>(this + 1); }
  char *bytes() { return provider() + provider_size; }

  Record *find(const hls::UrlMark &self) {
    for (Record &record : records) {
      if (record.self.url == self.url) return &record;
    }
    return nullptr;
  }

  bool is_fresh(std::uint64_t ttl) const {
    hls::Generation times;
    times.resolved = resolved;
    times.answer.expires = expires;
    return times.is_fresh(static_cast<std::uint64_t>(ngx_time()), ttl);
  }
};

struct Zone::Stream {
  enum class Cooldown : ngx_uint_t { none, forced, failed };

  ngx_queue_t queue;
  ngx_str_node_t node;
  List<Generation> generations;   // newest first
  size_t count;
  ngx_pid_t resolver;             // 0: nobody
  ngx_msec_t resolver_until;
  Cooldown cooldown;
  ngx_msec_t cooldown_until;
  ngx_uint_t failure;
  ngx_msec_t failed_at;           // where failure is not 0
  size_t remembered;              // bytes of all versions of its playlists

  char *text() { return reinterpret_cast<char *>(this + 1); }

  /// A worker that has died holds nothing.
  bool is_taken() const {
    if (resolver == 0 || !is_after(resolver_until, ngx_current_msec)) return false;
    return resolver == ngx_pid || kill(resolver, 0) == 0 || errno != ESRCH;
  }

  /// What claim() has to say.
  Claim decide(const Need &need) {
    Generation *newest = generations.front();
    if (newest && !need.renew) {
      // Who has waited for it takes it, although it may have been stale when it came.
      bool came = need.since && !is_after(*need.since, newest->made);
      bool will_do = need.newer_than ? newest->number > need.newer_than : came || newest->is_fresh(need.ttl);
      if (will_do) return Claim::ready;
    }
    if (is_taken()) return need.renew ? Claim::failed : Claim::wait;
    if (need.since && failure && !is_after(*need.since, failed_at)) return Claim::failed;
    bool forced = need.newer_than != 0 || need.renew;
    if (cooling() == Cooldown::failed || (cooling() == Cooldown::forced && forced)) return Claim::failed;
    return without_place(need);
  }

  Cooldown cooling() const {
    return is_after(cooldown_until, ngx_current_msec) ? cooldown : Cooldown::none;
  }

  void cool(Cooldown kind, ngx_msec_t time, ngx_uint_t status) {
    cooldown = kind;
    cooldown_until = ngx_current_msec + time;
    failure = status;
    failed_at = ngx_current_msec;
  }

  Generation *find(std::uint64_t number) {
    for (Generation &generation : generations) {
      if (generation.number == number) return &generation;
    }
    return nullptr;
  }

  /// Null: there is none of this id.
  Version *version(std::uint64_t id) {
    for (Generation &generation : generations) {
      for (Record &record : generation.records) {
        for (Version *version : record.versions) {
          if (version && version->id == id) return version;
        }
      }
    }
    return nullptr;
  }

  /// The generation that is missed least: one that nobody has played, else the one unused for longest.
  /// The newest one only if it is alone. Null: there is none.
  Generation *least_needed() {
    Generation *unplayed = nullptr, *unused = nullptr;
    for (Generation &generation : generations) {
      if (&generation == generations.front()) continue;
      if (generation.playlists == 0 && !generation.touched) unplayed = &generation;
      if (unused == nullptr || !is_after(generation.used, unused->used)) unused = &generation;
    }
    if (unplayed) return unplayed;
    return unused ? unused : generations.front();
  }
};

struct Zone::Shared {
  std::uint64_t layout;
  ngx_atomic_t busy = 1;     // somebody is changing what is here
  ngx_atomic_t changes;
  ngx_atomic_t streams;
  Counters counters;
  std::uint64_t number, id;  // the last ones given to a generation and to a version
  ngx_rbtree_t tree;
  ngx_rbtree_node_t sentinel;
  List<Stream> used;         // the stream asked for last is in front

  static constexpr std::uint64_t kLayout =
      (std::uint64_t{0x484c535a} << 32 | 1 << 28) ^ sizeof(Counters) << 12 ^   // "HLSZ", version 1
      (sizeof(Stream) + 3 * sizeof(Generation) + 5 * sizeof(Record) + 7 * sizeof(Version));

  /// Puts an empty zone into a slab pool that was just initialised. Null: it is too small.
  static Shared *make(ngx_slab_pool_t *pool, ngx_str_t name);
};

static_assert(std::is_trivially_copyable_v<hls::UrlMark>, "it lies in shared memory");

class Zone::Locked {
public:
  explicit Locked(const Zone &zone)
      : shm_(*zone.shm_), pool_(*reinterpret_cast<ngx_slab_pool_t *>(shm_.shm.addr)) {
    ngx_shmtx_lock(&pool_.mutex);
    if (shared().busy) start_anew();
    shared().busy = 1;
    ngx_memory_barrier();
  }

  ~Locked() {
    ngx_memory_barrier();
    shared().busy = 0;
    ngx_shmtx_unlock(&pool_.mutex);
  }

  Locked(const Locked &) = delete;
  Locked &operator=(const Locked &) = delete;

  Shared &shared() { return *static_cast<Shared *>(pool_.data); }

  /// Makes the stream the one used last, if it was ever resolved.
  Stream *find(std::string_view text);
  /// Null: no room.
  Stream *find_or_add(std::string_view text);
  Generation *find(std::string_view text, std::uint64_t number);
  void add(Stream &stream, const hls::Generation &generation, const hls::UrlMark &entry,
           std::string_view bytes);
  void remove(Stream &stream, Generation &generation);
  /// The place of this process becomes free, if it still is its own.
  void release(Stream *stream);
  /// The playlist's record, made if there is none. Null: no room.
  Record *record(Stream &stream, Generation &generation, const hls::UrlMark &self);
  void store(Stream &stream, Record &record, const hls::PlaylistIndex &index, std::string_view bytes);

private:
  void *allocate(size_t size, const Stream *keep);
  void free(void *memory) { ngx_slab_free_locked(&pool_, memory); }
  bool evict(const Stream *keep);
  void remove(Stream &stream);
  void remove(Stream &stream, Generation &generation, Record &record);
  void remove(Stream &stream, Version *version);
  void make_way(Stream &stream, Record &record, const Window &next);
  bool keep_to_share(Stream &stream, const Record &record, size_t size);
  void start_anew();

  ngx_shm_zone_t &shm_;
  ngx_slab_pool_t &pool_;
};

}  // namespace hls_proxy

#endif
