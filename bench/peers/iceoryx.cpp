/* iceoryx 2.0 with its daemon: loans, no copy but the benchmark's own; a WaitSet for who sleeps. */
#include "peer.h"

#include <iceoryx_hoofs/log/logmanager.hpp>
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/popo/wait_set.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>
#include <optional>
#include <string>
#include <unistd.h>

namespace popo = iox::popo;

extern "C" {
extern const unsigned peer_modes = 1u << PEER_POLL | 1u << PEER_BLOCK | 1u << PEER_IN_PLACE;
}
static std::optional<popo::UntypedPublisher> out;
static std::optional<popo::UntypedSubscriber> in;
static std::optional<popo::WaitSet<>> waiting;

template <typename Name> static Name name(const std::string &text) {
    return Name(iox::cxx::TruncateToCapacity, text.c_str(), text.size());
}

static iox::capro::ServiceDescription service(int channel) {
    return {name<iox::capro::IdString_t>("bench"), name<iox::capro::IdString_t>(peer.name),
            name<iox::capro::IdString_t>(channel ? "back" : "there")};
}

bool peer_open(void) {
    static const char *const daemon[] = {"/usr/bin/iox-roudi", "iox-roudi", "-m", "off", nullptr};
    if (peer.size > 4 << 20)
        return peer_absent("the daemon's ordinary configuration has no chunks of that size");
    if (peer.is_first) {
        if (access("/usr/bin/iox-roudi", X_OK))
            return peer_absent("its daemon is not installed");
        peer_start_program(daemon);
        usleep(500000); /* what it takes to be there */
    }
    iox::log::LogManager::GetLogManager().SetDefaultLogLevel(iox::log::LogLevel::kError, iox::log::LogLevelOutput::kHideLogLevel);
    iox::runtime::PoshRuntime::initRuntime(name<iox::RuntimeName_t>(std::string(peer.name) + (peer.is_first ? "-first" : "-second")));
    int sends_to = peer.is_first ? 1 : 0;
    if (peer.both_ways || !peer.is_first) {
        popo::PublisherOptions options;
        options.subscriberTooSlowPolicy = popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
        out.emplace(service(sends_to), options);
    }
    if (peer.both_ways || peer.is_first) {
        popo::SubscriberOptions options;
        options.queueCapacity = 256;
        options.queueFullPolicy = popo::QueueFullPolicy::BLOCK_PRODUCER;
        in.emplace(service(1 - sends_to), options);
        waiting.emplace();
        if (waiting->attachState(*in, popo::SubscriberState::HAS_DATA).has_error())
            return peer_absent("the set to wait on does not take the subscriber");
    }
    while (!peer.is_first && ((out && !out->hasSubscribers()) || (in && in->getSubscriptionState() != iox::SubscribeState::SUBSCRIBED)))
        usleep(1000);
    return true;
}

void peer_close(void) {
    waiting.reset();
    in.reset();
    out.reset();
}

template <typename Fill> static void publish(Fill fill) {
    out->loan(static_cast<uint32_t>(peer.size), 8)
        .and_then([&](void *room) {
            fill(room);
            out->publish(room);
        })
        .or_else([](auto &) { peer_must(false, "iceoryx: loan"); });
}

template <typename Use> static void take(Use use) {
    for (bool has = false;;) {
        in->take().and_then([&](const void *message) {
            use(message);
            in->release(message);
            has = true;
        });
        if (has)
            return;
        if (peer.mode == PEER_BLOCK)
            waiting->wait();
    }
}

void peer_send(int, const void *data) {
    publish([&](void *room) { memcpy(room, data, peer.size); });
}

void peer_receive(int, void *data) {
    take([&](const void *message) { memcpy(data, message, peer.size); });
}

void peer_send_in_place(int, uint64_t word) {
    publish([&](void *room) { memcpy(room, &word, sizeof word); });
}

uint64_t peer_receive_in_place(int) {
    uint64_t word = 0;
    take([&](const void *message) { memcpy(&word, message, sizeof word); });
    return word;
}
