package io.sluice.routing.catalog;

import static io.sluice.routing.catalog.Names.permit;
import static io.sluice.routing.catalog.Names.refuse;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.access.Resource;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.StreamInfo;
import io.sluice.routing.Binding;
import io.sluice.routing.RoutingException.Reason;
import io.sluice.routing.catalog.CatalogRecord.DeclaredStream;
import io.sluice.routing.catalog.HostTable.StreamEntry;
import io.sluice.routing.replay.InternalStreams;
import io.sluice.routing.topic.KafkaNames;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** Changes of streams, as parts of a transaction. */
final class StreamChanges {
    private final Catalog catalog;
    private final String vhost;
    private final BindingChanges bindings;

    StreamChanges(Catalog catalog, String vhost, BindingChanges bindings) {
        this.catalog = catalog;
        this.vhost = vhost;
        this.bindings = bindings;
    }

    /** Makes the directories, then records the stream: one without a record is removed at the next start. */
    CompletionStage<StreamInfo> declare(
            Transaction tx,
            Caller caller,
            String name,
            int partitions,
            StreamConfig config,
            Map<String, String> configs) {
        permit(caller, Operation.CONFIGURE, Resource.Kind.STREAM, name);
        HostEdit host = tx.host(vhost);
        StreamEntry present = host.streams.get(name);
        if (present != null) {
            if (present.info().partitions() != partitions) {
                throw refuse(
                        Reason.PRECONDITION_FAILED,
                        "stream '" + name + "' has " + present.info().partitions() + " partitions, not " + partitions);
            }
            return CompletableFuture.completedFuture(present.info());
        }
        Names.checkStream(caller, name);
        if (host.queues.containsKey(name)) {
            throw refuse(
                    Reason.PRECONDITION_FAILED, "'" + name + "' in vhost '" + vhost + "' is a queue, not a stream");
        }
        refuseTakenTopic(host, name);
        if (partitions < 1) {
            throw refuse(Reason.PRECONDITION_FAILED, "a stream needs at least 1 partition, not " + partitions);
        }
        StreamId id = InternalStreams.isReserved(name) ? InternalStreams.id(name) : newId(tx);
        if (!InternalStreams.isReserved(name)) {
            tx.onAbort(() -> catalog.engine.deleteStream(id));
        }
        return catalog.engine
                .createStream(id, name, partitions, config)
                .thenApplyAsync(
                        info -> {
                            tx.put(new DeclaredStream(vhost, name, id, Map.copyOf(configs), caller.principal()), true);
                            return info;
                        },
                        catalog.shard);
    }

    /** To Kafka clients two streams must not have one name. */
    private static void refuseTakenTopic(HostEdit host, String name) {
        String other = KafkaNames.isLegal(name) ? KafkaNames.escapedStream(name) : KafkaNames.topicOf(name);
        if (other != null && host.streams.containsKey(other)) {
            throw refuse(
                    Reason.PRECONDITION_FAILED,
                    "stream '" + name + "' would have the same name as stream '" + other + "' for Kafka clients");
        }
    }

    /** Takes the stream and its bindings out of the catalog; answers its id, so that its data goes once that is durable. */
    CompletionStage<StreamId> delete(Transaction tx, Caller caller, String name) {
        permit(caller, Operation.CONFIGURE, Resource.Kind.STREAM, name);
        Names.checkStream(caller, name);
        StreamEntry present = find(tx, name);
        bindings.removeAllOf(tx, new Binding.End(Binding.Kind.STREAM, name));
        StreamId id = present.info().id();
        tx.remove(new DeclaredStream(vhost, name, id, present.configs(), present.owner()), true);
        return CompletableFuture.completedFuture(id);
    }

    CompletionStage<StreamInfo> addPartitions(Transaction tx, Caller caller, String name, int partitions) {
        permit(caller, Operation.CONFIGURE, Resource.Kind.STREAM, name);
        StreamEntry present = find(tx, name);
        if (partitions <= present.info().partitions()) {
            throw refuse(
                    Reason.PRECONDITION_FAILED,
                    "stream '" + name + "' has " + present.info().partitions() + " partitions already");
        }
        return catalog.engine
                .addPartitions(present.info().id(), partitions)
                .thenApplyAsync(info -> refresh(tx, name, present, info, present.configs()), catalog.shard);
    }

    CompletionStage<StreamInfo> alter(
            Transaction tx, Caller caller, String name, StreamConfig config, Map<String, String> configs) {
        permit(caller, Operation.CONFIGURE, Resource.Kind.STREAM, name);
        StreamEntry present = find(tx, name);
        return catalog.engine
                .alterStream(present.info().id(), config)
                .thenApplyAsync(info -> refresh(tx, name, present, info, configs), catalog.shard);
    }

    private StreamInfo refresh(
            Transaction tx, String name, StreamEntry present, StreamInfo info, Map<String, String> configs) {
        tx.put(new DeclaredStream(vhost, name, info.id(), Map.copyOf(configs), present.owner()), true);
        return info;
    }

    private StreamEntry find(Transaction tx, String name) {
        StreamEntry present = tx.host(vhost).streams.get(name);
        if (present == null) {
            throw refuse(Reason.NOT_FOUND, "no stream '" + name + "' in vhost '" + vhost + "'");
        }
        return present;
    }

    /** Unique without randomness: cluster and a number of the catalog, which gives none twice. */
    private StreamId newId(Transaction tx) {
        String seed = "stream:" + catalog.engine.clusterId() + ":" + tx.nextId();
        return new StreamId(UUID.nameUUIDFromBytes(seed.getBytes(UTF_8)));
    }
}
