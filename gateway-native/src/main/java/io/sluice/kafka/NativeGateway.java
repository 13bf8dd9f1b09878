package io.sluice.kafka;

import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.sluice.access.Authenticator;
import io.sluice.kafka.admin.ClusterHandler;
import io.sluice.kafka.admin.ConfigsHandler;
import io.sluice.kafka.admin.TopicsHandler;
import io.sluice.kafka.connection.Apis;
import io.sluice.kafka.connection.ConnectionInfo;
import io.sluice.kafka.connection.NativePipeline;
import io.sluice.kafka.convert.Topics;
import io.sluice.kafka.fetch.FetchHandler;
import io.sluice.kafka.fetch.OffsetsHandler;
import io.sluice.kafka.group.GroupHandler;
import io.sluice.kafka.group.GroupService;
import io.sluice.kafka.group.GroupTopics;
import io.sluice.kafka.group.KafkaGroupService;
import io.sluice.kafka.produce.ProduceHandler;
import io.sluice.kafka.produce.ProducerIds;
import io.sluice.routing.Broker;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import org.apache.kafka.common.protocol.ApiKeys;

/** The native door: the Apache Kafka wire protocol over streams. SASL and transactions are not offered. */
public final class NativeGateway implements AutoCloseable {
    private final Apis apis = new Apis();
    private final NativePipeline pipeline;
    private final GroupService groups;
    private final ProduceHandler produce;
    private final ProducerIds producerIds;

    public NativeGateway(Broker broker, Authenticator authenticator, NativeSettings settings) {
        Topics topics = new Topics(broker);
        this.producerIds = new ProducerIds(broker.engine(), broker.shard(), broker.clock());
        ClusterHandler cluster = new ClusterHandler(
                broker, topics, apis, settings.advertised(), settings.autoCreateTopics(), settings.defaultPartitions());
        TopicsHandler admin = new TopicsHandler(topics, settings.defaultPartitions());
        ConfigsHandler configs = new ConfigsHandler(
                topics,
                Map.of(
                        "auto.create.topics.enable", Boolean.toString(settings.autoCreateTopics()),
                        "num.partitions", Integer.toString(settings.defaultPartitions()),
                        "default.replication.factor", "1",
                        "socket.request.max.bytes", Integer.toString(settings.maxRequestBytes())));
        OffsetsHandler offsets = new OffsetsHandler(topics);
        apis.add(ApiKeys.API_VERSIONS, cluster::apiVersions);
        apis.add(ApiKeys.METADATA, cluster::metadata);
        apis.add(ApiKeys.DESCRIBE_CLUSTER, cluster::describeCluster);
        this.produce = new ProduceHandler(broker.shard(), topics, settings.durabilityAll(), settings.durabilityFew());
        apis.add(ApiKeys.PRODUCE, produce);
        apis.add(ApiKeys.INIT_PRODUCER_ID, producerIds);
        apis.add(
                ApiKeys.FETCH,
                new FetchHandler(
                        topics, broker.engine().readerPool(), settings.maxFetchBytes(), settings.maxFetchSessions()));
        apis.add(ApiKeys.LIST_OFFSETS, offsets::listOffsets);
        apis.add(ApiKeys.OFFSET_FOR_LEADER_EPOCH, offsets::offsetForLeaderEpoch);
        apis.add(ApiKeys.CREATE_TOPICS, admin::createTopics);
        apis.add(ApiKeys.DELETE_TOPICS, admin::deleteTopics);
        apis.add(ApiKeys.CREATE_PARTITIONS, admin::createPartitions);
        apis.add(ApiKeys.DESCRIBE_CONFIGS, configs::describeConfigs);
        apis.add(ApiKeys.INCREMENTAL_ALTER_CONFIGS, configs::incrementalAlterConfigs);
        this.groups = new KafkaGroupService(
                broker.engine(),
                () -> GroupTopics.present(broker),
                settings.rebalanceDelayMillis(),
                settings.offsetsRetentionMillis());
        broker.onStreamsChanged(groups::topicsChanged);
        new GroupHandler(groups, topics, broker.engine().nodeId(), cluster::host, cluster::port).register(apis);
        this.pipeline = new NativePipeline(
                apis,
                authenticator,
                new NativePipeline.Limits(
                        settings.maxRequestBytes(),
                        settings.requestMemoryBytes(),
                        settings.maxInFlight(),
                        settings.firstRequestMillis(),
                        settings.idleMillis()),
                broker.clock());
    }

    /** Well-formed records that producers sent since the start. */
    public long received() {
        return produce.received();
    }

    /** The open connections. Completes on an event loop. */
    public CompletionStage<List<ConnectionInfo>> connections() {
        return pipeline.describe();
    }

    /** Ends a connection; completes with false if there is none of this name. */
    public CompletionStage<Boolean> closeConnection(String name, String why) {
        return pipeline.close(name, why);
    }

    public String name() {
        return "native";
    }

    /** Sets up accepted channels. */
    public ChannelInitializer<? extends Channel> initializer() {
        return pipeline;
    }

    /** Loads producer ids and consumer groups; called before listeners open. Blocks until their streams are there. */
    public void start() {
        producerIds.start();
        groups.start();
    }

    /** Stops the group coordinator; called after listeners closed and before the engine does. */
    @Override
    public void close() {
        groups.close();
    }
}
