// One response that is rewritten: from the chain of buffers that comes in to the one that goes out.

#ifndef NGX_HTTP_HLS_PROXY_REWRITTEN_RESPONSE_H
#define NGX_HTTP_HLS_PROXY_REWRITTEN_RESPONSE_H

#include "core/content_decoder.h"
#include "core/json_rewriter.h"
#include "core/playlist_rewriter.h"
#include "hls_proxy.h"
#include "playlist_recorder.h"

namespace hls_proxy {

/// The rewriter's output: a few large buffers that are used again as soon as the client has taken them.
class Windows : public hls::Output {
public:
  // Large, because each costs a system call and wakes the client; together below 64 KB a connection.
  static constexpr size_t kSize = 24 * 1024;
  static constexpr size_t kCount = 2;
  static_assert(kSize >= hls::Output::kMaxReserve);

  explicit Windows(ngx_pool_t *pool) : pool_(pool) {}

  /// Hands over what has been written; `last` marks its end.
  bool take(ngx_chain_t **out, bool last, bool main);
  /// After `out` went down the chain: what was sent is free again.
  void sent(ngx_chain_t **out);

  bool busy() const { return busy_ != nullptr; }
  bool empty() const { return out_ == nullptr && pos_ == begin_; }

protected:
  void next_window(size_t n) override;

private:
  void close_window();

  ngx_pool_t *pool_;
  ngx_chain_t *free_ = nullptr, *busy_ = nullptr, *out_ = nullptr;
  ngx_chain_t **last_out_ = &out_;
  ngx_buf_t *window_ = nullptr;
  char *begin_ = nullptr;
  size_t count_ = 0;
};

class RewrittenResponse {
public:
  enum class Document { playlist, json };

  RewrittenResponse(ngx_http_request_t *r, const RequestContext &ctx, Document document,
                    hls::ContentCoding coding, hls::LinkScope &&scope);

  /// The body filter; it sends the header, too.
  ngx_int_t filter(ngx_chain_t *in);

private:
  enum class Stage {
    reading,      // nothing has gone out: what goes wrong can still be a 502
    sending,
    finished,     // all has gone out, or an error has: what still comes in is thrown away
  };

  /// What has been consumed is not all rewritten yet.
  bool is_behind() const { return !pending_.empty() || decoder_has_more_; }
  const char *consume();
  const char *consume(std::string_view &bytes);
  const char *rewrite(std::string_view &bytes);
  const char *finish();
  ngx_int_t fail(const char *reason);
  void discard();

  ngx_http_request_t *r_;
  Document document_;
  hls::Url base_;
  hls::LinkScope scope_;
  hls::LinkWriter links_;
  hls::PlaylistRewriter rewriter_;
  std::unique_ptr<PlaylistRecorder> recorder_;   // null: nobody will ask for what stands where
  std::unique_ptr<hls::ContentDecoder> decoder_;
  bool decoded_all_ = false, decoder_has_more_ = false;
  size_t max_size_, size_ = 0;
  std::string json_;
  std::string decoded_;          // decoder's window, and what of it is not rewritten yet
  std::string_view pending_;

  Windows windows_;
  ngx_chain_t *in_ = nullptr;
  Stage stage_ = Stage::reading;
  bool input_done_ = false, done_ = false, broken_off_ = false;
};

}  // namespace hls_proxy

#endif
