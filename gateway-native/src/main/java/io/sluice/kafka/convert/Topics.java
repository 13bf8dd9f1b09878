package io.sluice.kafka.convert;

import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.access.Resource;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamId;
import io.sluice.log.StreamInfo;
import io.sluice.routing.Broker;
import io.sluice.routing.RoutingException;
import io.sluice.routing.RoutingTable;
import io.sluice.routing.VirtualHost;
import io.sluice.routing.topic.KafkaNames;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.internals.Topic;
import org.apache.kafka.common.protocol.Errors;
import org.jspecify.annotations.Nullable;

/**
 * Streams as Kafka's topics: names by {@link KafkaNames}, topic id = stream id. Internal streams, and streams whose name would be
 * too long, are not topics. Names here are topic names unless said otherwise. Thread-safe.
 */
public final class Topics {
    private static final Set<String> HIDDEN = Set.of(
            "__home",
            "__catalog",
            "__state",
            "__retained",
            "__bridges",
            "__producer_ids",
            Topic.GROUP_METADATA_TOPIC_NAME);

    private final Broker broker;

    public Topics(Broker broker) {
        this.broker = broker;
    }

    /** A partition, or why there is none. */
    public record Lookup(
            @Nullable StreamInfo stream, @Nullable LogPartition partition, Errors error) {
        private static Lookup refused(Errors error) {
            return new Lookup(null, null, error);
        }
    }

    /** The caller's virtual host. */
    public VirtualHost host(Caller caller) {
        VirtualHost host = broker.virtualHost(caller.vhost());
        if (host == null) {
            throw new RoutingException(RoutingException.Reason.NOT_FOUND, "no virtual host '" + caller.vhost() + "'");
        }
        return host;
    }

    /** The stream of this topic name, null if there is none or it is internal. */
    public @Nullable StreamInfo stream(Caller caller, String name) {
        return isTopicName(name) ? host(caller).table().stream(streamName(caller, name)) : null;
    }

    /** The name of the stream that has this topic name, or would have it. */
    public String streamName(Caller caller, String name) {
        RoutingTable table = host(caller).table();
        if (table.stream(name) != null) {
            return name;
        }
        String escaped = KafkaNames.escapedStream(name);
        return escaped != null && table.stream(escaped) != null ? escaped : name;
    }

    /** The topic name of a stream, null if it is none for Kafka clients. */
    public static @Nullable String topicName(String stream) {
        String name = HIDDEN.contains(stream) ? null : KafkaNames.topicOf(stream);
        return name == null || !isTopicName(name) ? null : name;
    }

    /** The name of the topic with this id, null if there is none. */
    public @Nullable String name(Caller caller, Uuid id) {
        String stream = host(caller).streamName(streamId(id));
        return stream == null ? null : topicName(stream);
    }

    /** All topics that the caller may read. */
    public List<String> names(Caller caller) {
        List<String> names = new ArrayList<>();
        for (String stream : host(caller).table().streamNames()) {
            String name = topicName(stream);
            if (name != null && (may(caller, Operation.READ, name) || may(caller, Operation.WRITE, name))) {
                names.add(name);
            }
        }
        return names;
    }

    /** Finds a partition that the caller may {@code operation}. */
    public Lookup partition(Caller caller, Operation operation, String name, int index) {
        if (!may(caller, operation, name)) {
            return Lookup.refused(Errors.TOPIC_AUTHORIZATION_FAILED);
        }
        StreamInfo stream = stream(caller, name);
        if (stream == null || index < 0 || index >= stream.partitions()) {
            return Lookup.refused(Errors.UNKNOWN_TOPIC_OR_PARTITION);
        }
        LogPartition partition = broker.engine().partition(new PartitionId(stream.id(), index));
        return partition == null
                ? Lookup.refused(Errors.UNKNOWN_TOPIC_OR_PARTITION)
                : new Lookup(stream, partition, Errors.NONE);
    }

    /** Asks for permission on the stream of this topic name. */
    public boolean may(Caller caller, Operation operation, String name) {
        return caller.may(operation, Resource.Kind.STREAM, streamName(caller, name));
    }

    /** True for a name that Kafka clients may use; internal streams are not among them. */
    public static boolean isTopicName(String name) {
        return !HIDDEN.contains(name) && Topic.isValid(name);
    }

    public static Uuid topicId(StreamInfo stream) {
        UUID uuid = stream.id().uuid();
        return new Uuid(uuid.getMostSignificantBits(), uuid.getLeastSignificantBits());
    }

    private static StreamId streamId(Uuid id) {
        return new StreamId(new UUID(id.getMostSignificantBits(), id.getLeastSignificantBits()));
    }

    /** FENCED or UNKNOWN leader epoch if the client's view is older or newer than the partition (KIP-320), else NONE. */
    public static Errors checkEpoch(LogPartition partition, int clientEpoch) {
        int epoch = partition.leaderEpoch();
        if (clientEpoch < 0 || clientEpoch == epoch) {
            return Errors.NONE;
        }
        return clientEpoch < epoch ? Errors.FENCED_LEADER_EPOCH : Errors.UNKNOWN_LEADER_EPOCH;
    }
}
