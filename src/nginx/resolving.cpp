// Asking a source's resolver where a stream is now: once, whoever and however many want to know.

#include <map>
#include <set>

#include "core/percent.h"
#include "core/resolver_answer.h"
#include "hls_proxy.h"
#include "internal_request.h"
#include "wait.h"
#include "zone.h"

namespace hls_proxy {

namespace {

constexpr unsigned kMaxLeads = 2;   // the second for who waited in vain, as the first to ask was killed

// What has just come, for those in this worker who wait for it: the zone may have had no room for it, or may have
// given it to another one since.
struct Answer {
  hls::Generation generation;
  ngx_msec_t at;
};
constexpr size_t kMaxAnswers = 64;
std::map<std::string, Answer> answers;   // by stream

// Those of this turn of the event loop are still waited for.
void forget_answers() {
  for (auto i = answers.begin(); i != answers.end();) {
    i = i->second.at == ngx_current_msec ? std::next(i) : answers.erase(i);
  }
}

// Of this worker: streams that are being resolved (the zone may have had no room to say so), and whether somebody
// waits for one of them to end, to start another.
std::set<std::string> running;
bool queued = false;

// key, attempt, status: all that a resolver gets to know.
std::string resolver_arguments(const Source &source, const hls::StreamKey &key, ngx_uint_t status) {
  std::string args;
  for (size_t i = 0; i < source.key.size(); ++i) {
    if (!key.values[i]) continue;
    args.append(source.key[i].name).append("=").append(hls::percent_encode(*key.values[i])).append("&");
  }
  return args + "attempt=" + (status ? "2" : "1") + "&status=" + std::to_string(status);
}

// What is logged and answered for a stream that could not be resolved.
struct Failure {
  ngx_uint_t status;
  std::string reason;
};

std::optional<Failure> read_answer(const Source &source, const InternalResponse &response,
                                   hls::ResolverAnswer &answer) {
  if (response.too_large) return Failure{NGX_HTTP_BAD_GATEWAY, "its answer is too large"};
  if (response.status != NGX_HTTP_OK) {
    ngx_uint_t status = response.status == NGX_HTTP_NOT_FOUND || response.status == NGX_HTTP_GATEWAY_TIME_OUT
                            ? response.status : NGX_HTTP_BAD_GATEWAY;
    return Failure{status, response.status == NGX_HTTP_GATEWAY_TIME_OUT
                               ? "it did not answer in time"
                               : "it answered " + std::to_string(response.status)};
  }
  if (!response.content_coding.empty() && !same_name(response.content_coding, "identity")) {
    return Failure{NGX_HTTP_BAD_GATEWAY, "its answer is in a content coding, which was not asked for"};
  }
  hls::AnswerError error = hls::parse_resolver_answer(response.content_type, response.body,
                                                      static_cast<std::uint64_t>(ngx_time()), answer);
  if (error != hls::AnswerError::none) return Failure{NGX_HTTP_BAD_GATEWAY, hls::describe(error)};
  if (!in_hosts(source, answer.url)) {
    return Failure{NGX_HTTP_BAD_GATEWAY, "the host of its answer is not among \"hosts\""};
  }
  return std::nullopt;
}

struct Resolve {
  Zone *zone;
  const Source *source;
  std::string stream, name;
  bool forced;
  ngx_msec_t started;
};

void finish(const Resolve &resolve, const InternalResponse &response) {
  hls::ResolverAnswer answer;
  const Source &source = *resolve.source;
  ngx_msec_t took = ngx_current_msec - resolve.started;
  if (auto failure = read_answer(source, response, answer)) {
    resolve.zone->fail(resolve.stream, failure->status, source.cooldown);
    count(resolve.zone->counters().failed_resolves);
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "hls_proxy: %s was not resolved after %M ms: %s",
                  resolve.name.c_str(), took, failure->reason.c_str());
  } else {
    auto generation = resolve.zone->publish(resolve.stream, answer, resolve.forced, source.cooldown);
    if (answers.size() >= kMaxAnswers) forget_answers();
    answers[resolve.stream] = {generation, ngx_current_msec};
    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "hls_proxy: %s was resolved in %M ms: generation %uL%s%s",
                  resolve.name.c_str(), took, static_cast<uint64_t>(generation.number),
                  answer.provider.empty() ? "" : " of ", answer.provider.c_str());
  }
  running.erase(resolve.stream);
  Wait::wake(queued ? std::string_view() : resolve.stream);
  queued = false;
}

bool start(ngx_http_request_t *r, Resolve resolve, const hls::StreamKey &key, ngx_uint_t status) {
  auto request = InternalRequest::create(r);
  if (!request) return false;
  count(resolve.zone->counters().resolves);
  const Source &source = *resolve.source;
  std::string args = resolver_arguments(source, key, status);
  bool started = request->get(source.resolver, args, hls::kMaxAnswer, source.deadline,
                              [resolve](InternalResponse &&response) { finish(resolve, response); });
  if (started) running.insert(resolve.stream);
  return started;
}

bool lead(ngx_http_request_t *r, const Source &source, const hls::Link &link, ngx_uint_t status) {
  Zone *zone = main_conf(r).zone;
  Resolve resolve{zone, &source, link.stream_text, stream_name(source, link.stream), status != 0, ngx_current_msec};
  if (start(r, std::move(resolve), link.stream, status)) return true;
  zone->fail(link.stream_text, NGX_HTTP_BAD_GATEWAY, source.cooldown);
  Wait::wake(link.stream_text);
  return false;
}

Zone::Need need_of(const Source &source) {
  Zone::Need need;
  need.ttl = source.ttl;
  need.deadline = source.deadline + 1000;   // the resolver's own is over before
  need.may_lead = running.size() < source.max_resolves;
  return need;
}

const Answer *find_answer(const std::string &stream, const Wait *wait) {
  auto found = answers.find(stream);
  bool awaited = wait && found != answers.end() &&
                 static_cast<ngx_msec_int_t>(found->second.at - wait->since()) >= 0;
  return awaited ? &found->second : nullptr;
}

}  // namespace

std::string key_text(const Source &source, const hls::StreamKey &key) {
  std::string text;
  for (size_t i = 0; i < source.key.size(); ++i) {
    if (!key.values[i]) continue;
    if (!text.empty()) text += ' ';
    text.append(source.key[i].name).append("=").append(*key.values[i]);
  }
  return text;
}

std::string stream_name(const Source &source, const hls::StreamKey &key) {
  std::string values = key_text(source, key);
  return "stream \"" + source.name + (values.empty() ? "" : " ") + values + "\"";
}

Resolution resolve(ngx_http_request_t *r, const Source &source, const hls::Link &link, std::uint64_t newer_than,
                   ngx_uint_t status, const Wait *wait, unsigned &leads) {
  Zone &zone = *main_conf(r).zone;
  Zone::Need need = need_of(source);
  need.newer_than = newer_than;
  if (wait) need.since = wait->since();
  Zone::Claimed claimed = zone.claim(link.stream_text, need);
  switch (claimed.claim) {
    case Zone::Claim::ready:
      // `hosts` may have become narrower since.
      if (!in_hosts(source, claimed.generation.answer.url)) {
        std::uint64_t refused = claimed.generation.number;
        return refused > newer_than ? resolve(r, source, link, refused, status, wait, leads) : Resolution();
      }
      return {Resolution::State::ready, std::move(claimed.generation), 0};
    case Zone::Claim::lead:
      if (const Answer *answer = find_answer(link.stream_text, wait)) {
        zone.abandon(link.stream_text);
        return {Resolution::State::ready, answer->generation, 0};
      }
      if (running.count(link.stream_text)) return {Resolution::State::waiting, {}, 0};
      if (++leads > kMaxLeads || !lead(r, source, link, status)) {
        zone.abandon(link.stream_text);
        break;
      }
      return {Resolution::State::waiting, {}, 0};
    case Zone::Claim::wait:
      if (!need.may_lead) queued = true;
      if (!wait) count(zone.counters().waits);
      return {Resolution::State::waiting, {}, 0};
    case Zone::Claim::failed:
      return {Resolution::State::failed, {}, claimed.failure};
  }
  return {Resolution::State::failed, {}, NGX_HTTP_BAD_GATEWAY};
}

void renew_if_due(ngx_http_request_t *r, const Source &source, const hls::Link &link,
                  const hls::Generation &generation) {
  auto now = static_cast<std::uint64_t>(ngx_time());
  if (!generation.is_due(now, source.refresh_before)) return;
  // A resolver that answers from a cache of its own may not have anything newer.
  if (now < generation.resolved + std::max<std::uint64_t>(1, source.cooldown / 1000)) return;
  Zone::Need need = need_of(source);
  need.renew = true;
  if (main_conf(r).zone->claim(link.stream_text, need).claim == Zone::Claim::lead) lead(r, source, link, 0);
}

}  // namespace hls_proxy
