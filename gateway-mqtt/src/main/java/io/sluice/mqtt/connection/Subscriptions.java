package io.sluice.mqtt.connection;

import io.netty.handler.codec.mqtt.MqttProperties;
import io.netty.handler.codec.mqtt.MqttProperties.MqttProperty;
import io.netty.handler.codec.mqtt.MqttSubscribeMessage;
import io.netty.handler.codec.mqtt.MqttTopicSubscription;
import io.netty.handler.codec.mqtt.MqttUnsubscribeMessage;
import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.access.Resource;
import io.sluice.mqtt.codec.PacketWriter;
import io.sluice.mqtt.codec.ReasonCode;
import io.sluice.mqtt.codec.Topics;
import io.sluice.mqtt.session.Outbound;
import io.sluice.mqtt.session.Session;
import io.sluice.routing.RoutingException;
import io.sluice.routing.Sessions.StoredSubscription;
import io.sluice.routing.Subscription;
import io.sluice.routing.VirtualHost;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * SUBSCRIBE and UNSUBSCRIBE of one connection (MQTT 5.0 sections 3.8 to 3.11): each filter is checked, made part of routing,
 * then acknowledged; retained messages follow the SUBACK. Confined to the connection's event loop.
 */
final class Subscriptions {
    private static final Logger LOG = LoggerFactory.getLogger(Subscriptions.class);
    private static final int SUBACK = 0x90;
    private static final int UNSUBACK = 0xB0;
    private static final int FAILURE_3 = 0x80;

    private final Outbound out;
    private final Session session;
    private final Caller caller;
    private final VirtualHost vhost;

    Subscriptions(Outbound out, Session session, Caller caller, VirtualHost vhost) {
        this.out = out;
        this.session = session;
        this.caller = caller;
        this.vhost = vhost;
    }

    /** One packet whose filters are being worked on. */
    private final class Pending {
        final int type;
        final int packetId;
        final int[] codes;
        final @Nullable StoredSubscription[] retained;
        int left;

        Pending(int type, int packetId, int count) {
            this.type = type;
            this.packetId = packetId;
            this.codes = new int[count];
            this.retained = new StoredSubscription[count];
            this.left = count;
        }

        void done(int i, int code) {
            codes[i] = code;
            if (--left > 0 || !out.channel().isActive()) {
                return;
            }
            PacketWriter.acknowledge(out.reserve(8 + codes.length), type, packetId, codes, out.mqtt5());
            out.flush();
            for (int k = 0; k < codes.length; k++) {
                StoredSubscription s = retained[k];
                if (s != null && codes[k] < 0x80) {
                    vhost.retained()
                            .match(
                                    s.topicFilter(),
                                    out.loop(),
                                    m -> session.deliverRetained(m, s.maximumQos(), s.identifier()),
                                    session::flush);
                }
            }
        }
    }

    void subscribe(MqttSubscribeMessage packet) {
        List<MqttTopicSubscription> filters = packet.payload().topicSubscriptions();
        int identifier = identifier(packet.idAndPropertiesVariableHeader().properties());
        Pending pending = new Pending(SUBACK, packet.variableHeader().messageId(), filters.size());
        for (int i = 0; i < filters.size(); i++) {
            subscribe(pending, i, filters.get(i), identifier);
        }
    }

    private void subscribe(Pending pending, int i, MqttTopicSubscription asked, int identifier) {
        String filter = asked.topicFilter();
        int refusal = refusal(filter);
        if (refusal != 0) {
            LOG.info(
                    "{}: subscription to {} refused with 0x{}",
                    caller.connection(),
                    filter,
                    Integer.toHexString(refusal));
            pending.done(i, out.mqtt5() ? refusal : FAILURE_3);
            return;
        }
        int granted = Math.min(1, asked.qualityOfService().value());
        StoredSubscription s = new StoredSubscription(
                filter,
                granted,
                asked.option().isNoLocal(),
                asked.option().isRetainAsPublished(),
                asked.option().retainHandling().value(),
                identifier);
        StoredSubscription old = session.subscribed(s);
        if (s.retainHandling() == 0 || (s.retainHandling() == 1 && old == null)) {
            pending.retained[i] = s;
        }
        CompletionStage<Void> visible = vhost.subscribe(
                caller,
                new Subscription(
                        session,
                        filter,
                        granted,
                        s.noLocal(),
                        s.retainAsPublished(),
                        s.retainHandling(),
                        s.identifier()));
        visible.whenComplete((done, error) -> out.loop().execute(() -> {
            if (error != null) {
                LOG.warn("{}: subscription to {} failed: {}", caller.connection(), filter, error.getMessage());
                if (old == null) {
                    session.unsubscribed(filter);
                } else {
                    session.subscribed(old);
                }
            }
            pending.done(i, error == null ? granted : out.mqtt5() ? reasonOf(error) : FAILURE_3);
        }));
    }

    private int refusal(String filter) {
        if (Topics.isShared(filter)) {
            return ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
        }
        if (!Topics.isFilter(filter)) {
            return ReasonCode.TOPIC_FILTER_INVALID;
        }
        if (!caller.may(Operation.READ, Resource.Kind.TOPIC, filter)) {
            return ReasonCode.NOT_AUTHORIZED;
        }
        return session.maySubscribe(filter) ? 0 : ReasonCode.QUOTA_EXCEEDED;
    }

    private static int identifier(MqttProperties properties) {
        List<? extends MqttProperty<?>> found = identifiers(properties);
        return found.isEmpty() ? 0 : ((MqttProperties.IntegerProperty) found.get(0)).value();
    }

    @SuppressWarnings({"unchecked", "rawtypes"}) // the codec's lists are raw
    private static List<? extends MqttProperty<?>> identifiers(MqttProperties properties) {
        return (List) properties.getProperties(MqttProperties.SUBSCRIPTION_IDENTIFIER);
    }

    private static int reasonOf(Throwable error) {
        Throwable cause = error instanceof CompletionException && error.getCause() != null ? error.getCause() : error;
        if (cause instanceof RoutingException refused) {
            return switch (refused.reason()) {
                case ACCESS_REFUSED -> ReasonCode.NOT_AUTHORIZED;
                case INVALID_NAME -> ReasonCode.TOPIC_FILTER_INVALID;
                case UNAVAILABLE -> ReasonCode.QUOTA_EXCEEDED;
                default -> ReasonCode.IMPLEMENTATION_SPECIFIC;
            };
        }
        return ReasonCode.UNSPECIFIED;
    }

    void unsubscribe(MqttUnsubscribeMessage packet) {
        List<String> filters = packet.payload().topics();
        Pending pending = new Pending(UNSUBACK, packet.variableHeader().messageId(), filters.size());
        for (int i = 0; i < filters.size(); i++) {
            String filter = filters.get(i);
            int index = i;
            if (!session.unsubscribed(filter)) {
                pending.done(
                        i,
                        Topics.isFilter(filter) ? ReasonCode.NO_SUBSCRIPTION_EXISTED : ReasonCode.TOPIC_FILTER_INVALID);
                continue;
            }
            vhost.unsubscribe(caller, session, filter)
                    .whenComplete((done, error) -> out.loop().execute(() -> {
                        if (error != null) {
                            LOG.warn(
                                    "{}: unsubscribe of {} failed: {}",
                                    caller.connection(),
                                    filter,
                                    error.getMessage());
                        }
                        pending.done(index, error == null ? ReasonCode.SUCCESS : reasonOf(error));
                    }));
        }
    }
}
