package io.sluice.kafka.group;

import io.sluice.engine.LogEngine;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.internals.Topic;
import org.apache.kafka.common.message.DeleteGroupsResponseData.DeletableGroupResultCollection;
import org.apache.kafka.common.message.DescribeGroupsResponseData.DescribedGroup;
import org.apache.kafka.common.message.HeartbeatRequestData;
import org.apache.kafka.common.message.HeartbeatResponseData;
import org.apache.kafka.common.message.JoinGroupRequestData;
import org.apache.kafka.common.message.JoinGroupResponseData;
import org.apache.kafka.common.message.LeaveGroupRequestData;
import org.apache.kafka.common.message.LeaveGroupResponseData;
import org.apache.kafka.common.message.ListGroupsRequestData;
import org.apache.kafka.common.message.ListGroupsResponseData;
import org.apache.kafka.common.message.OffsetCommitRequestData;
import org.apache.kafka.common.message.OffsetCommitResponseData;
import org.apache.kafka.common.message.OffsetDeleteRequestData;
import org.apache.kafka.common.message.OffsetDeleteResponseData;
import org.apache.kafka.common.message.OffsetFetchRequestData.OffsetFetchRequestGroup;
import org.apache.kafka.common.message.OffsetFetchResponseData.OffsetFetchResponseGroup;
import org.apache.kafka.common.message.SyncGroupRequestData;
import org.apache.kafka.common.message.SyncGroupResponseData;
import org.apache.kafka.common.metrics.Metrics;
import org.apache.kafka.common.requests.RequestContext;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.internals.BufferSupplier;
import org.apache.kafka.coordinator.group.GroupConfigManager;
import org.apache.kafka.coordinator.group.GroupCoordinatorConfig;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordSerde;
import org.apache.kafka.coordinator.group.GroupCoordinatorService;
import org.apache.kafka.coordinator.group.metrics.GroupCoordinatorMetrics;
import org.apache.kafka.coordinator.group.metrics.GroupCoordinatorRuntimeMetrics;
import org.apache.kafka.coordinator.group.modern.share.ShareGroupConfig;
import org.apache.kafka.server.share.persister.NoOpStatePersister;
import org.apache.kafka.server.util.PartitionMetadataClient;
import org.apache.kafka.server.util.PartitionMetadataClient.OffsetResponse;
import org.apache.kafka.server.util.timer.SystemTimer;
import org.apache.kafka.server.util.timer.SystemTimerReaper;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** {@link GroupService} by Kafka's own group coordinator, with {@code __consumer_offsets} in the log. */
public final class KafkaGroupService implements GroupService {
    private static final Logger LOG = LoggerFactory.getLogger(KafkaGroupService.class);
    private static final int PARTITIONS = 50;
    private static final StreamId OFFSETS = new StreamId(
            UUID.nameUUIDFromBytes(("sluice:" + Topic.GROUP_METADATA_TOPIC_NAME).getBytes(StandardCharsets.UTF_8)));

    private final LogEngine engine;
    private final OffsetsLog log;
    private final Metrics metrics = new Metrics();
    private final GroupCoordinatorService coordinator;
    private final GroupTopics topics;
    private final Supplier<List<GroupTopics.Topic>> present;
    private final AtomicBoolean topicsDue = new AtomicBoolean();

    /** The coordinator waits for its log when topics go, which nobody else should have to. */
    private final ThreadPoolExecutor follower = new ThreadPoolExecutor(
            1, 1, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), KafkaGroupService::followerThread);

    /**
     * Makes a service.
     *
     * @param present all topics there are now, with stored names (see {@link GroupScope})
     * @param rebalanceDelayMillis how long the first rebalance of an empty group waits, ms
     * @param offsetsRetentionMillis how long offsets of a group without members are kept, ms
     */
    public KafkaGroupService(
            LogEngine engine,
            Supplier<List<GroupTopics.Topic>> present,
            int rebalanceDelayMillis,
            long offsetsRetentionMillis) {
        this.engine = engine;
        this.present = present;
        follower.allowCoreThreadTimeOut(true);
        this.log =
                new OffsetsLog(engine, OFFSETS, StreamConfig.STATE.maxBatchBytes(), new GroupCoordinatorRecordSerde());
        this.topics = new GroupTopics(engine.nodeId());
        Map<String, Object> properties = new HashMap<>();
        properties.put(GroupCoordinatorConfig.GROUP_COORDINATOR_NUM_THREADS_CONFIG, 1);
        properties.put(GroupCoordinatorConfig.OFFSETS_TOPIC_PARTITIONS_CONFIG, PARTITIONS);
        properties.put(GroupCoordinatorConfig.GROUP_INITIAL_REBALANCE_DELAY_MS_CONFIG, rebalanceDelayMillis);
        properties.put(GroupCoordinatorConfig.OFFSETS_RETENTION_MINUTES_CONFIG, (int)
                Math.max(1, Math.min(Integer.MAX_VALUE, offsetsRetentionMillis / 60_000)));
        GroupCoordinatorConfig config = GroupCoordinatorConfig.fromProps(properties);
        this.coordinator = new GroupCoordinatorService.Builder(engine.nodeId(), config)
                .withWriter(log)
                .withLoader(log)
                .withTime(Time.SYSTEM)
                .withTimer(new SystemTimerReaper("sluice-groups-timer", new SystemTimer("sluice-groups-timer")))
                .withCoordinatorRuntimeMetrics(new GroupCoordinatorRuntimeMetrics(metrics))
                .withGroupCoordinatorMetrics(
                        new GroupCoordinatorMetrics(new com.yammer.metrics.core.MetricsRegistry(), metrics))
                .withGroupConfigManager(new GroupConfigManager(config, ShareGroupConfig.fromProps(Map.of())))
                .withPersister(new NoOpStatePersister())
                .withAuthorizerPlugin(Optional.empty())
                .withPartitionMetadataClient(new NoPartitionMetadata())
                .build();
    }

    @Override
    public void start() {
        engine.createStream(OFFSETS, Topic.GROUP_METADATA_TOPIC_NAME, PARTITIONS, StreamConfig.STATE)
                .toCompletableFuture()
                .join();
        log.open();
        coordinator.startup(() -> PARTITIONS);
        for (int i = 0; i < PARTITIONS; i++) {
            var partition = engine.partition(new io.sluice.log.PartitionId(OFFSETS, i));
            coordinator.onElection(i, partition == null ? 0 : partition.leaderEpoch());
        }
        topicsChanged();
    }

    @Override
    public void topicsChanged() {
        if (topicsDue.compareAndSet(false, true)) {
            try {
                follower.execute(this::followTopics);
            } catch (RejectedExecutionException e) {
                LOG.debug("Topics changed while groups were closed; the next start sees them");
            }
        }
    }

    private void followTopics() {
        topicsDue.set(false);
        try {
            topics.update(present.get(), coordinator);
        } catch (RuntimeException e) {
            LOG.warn("Consumer groups could not follow a change of topics: {}", e.toString());
        }
    }

    private static Thread followerThread(Runnable task) {
        Thread thread = new Thread(task, "sluice-group-topics");
        thread.setDaemon(true);
        return thread;
    }

    @Override
    public CompletableFuture<JoinGroupResponseData> join(RequestContext context, JoinGroupRequestData request) {
        return coordinator.joinGroup(context, request, BufferSupplier.NO_CACHING);
    }

    @Override
    public CompletableFuture<SyncGroupResponseData> sync(RequestContext context, SyncGroupRequestData request) {
        return coordinator.syncGroup(context, request, BufferSupplier.NO_CACHING);
    }

    @Override
    public CompletableFuture<HeartbeatResponseData> heartbeat(RequestContext context, HeartbeatRequestData request) {
        return coordinator.heartbeat(context, request);
    }

    @Override
    public CompletableFuture<LeaveGroupResponseData> leave(RequestContext context, LeaveGroupRequestData request) {
        return coordinator.leaveGroup(context, request);
    }

    @Override
    public CompletableFuture<ListGroupsResponseData> list(RequestContext context, ListGroupsRequestData request) {
        return coordinator.listGroups(context, request);
    }

    @Override
    public CompletableFuture<List<DescribedGroup>> describe(RequestContext context, List<String> groups) {
        return coordinator.describeGroups(context, groups);
    }

    @Override
    public CompletableFuture<DeletableGroupResultCollection> delete(RequestContext context, List<String> groups) {
        return coordinator.deleteGroups(context, groups, BufferSupplier.NO_CACHING);
    }

    @Override
    public CompletableFuture<OffsetCommitResponseData> commit(RequestContext context, OffsetCommitRequestData request) {
        return coordinator.commitOffsets(context, request, BufferSupplier.NO_CACHING);
    }

    @Override
    public CompletableFuture<OffsetFetchResponseGroup> fetch(
            RequestContext context, OffsetFetchRequestGroup group, boolean requireStable) {
        return coordinator.fetchOffsets(context, group, requireStable);
    }

    @Override
    public CompletableFuture<OffsetDeleteResponseData> deleteOffsets(
            RequestContext context, OffsetDeleteRequestData request) {
        return coordinator.deleteOffsets(context, request, BufferSupplier.NO_CACHING);
    }

    @Override
    public void close() {
        follower.shutdown();
        coordinator.shutdown();
        log.close();
        metrics.close();
    }

    /** Share groups ask for end offsets; they are not offered. */
    private static final class NoPartitionMetadata implements PartitionMetadataClient {
        @Override
        public Map<TopicPartition, CompletableFuture<OffsetResponse>> listLatestOffsets(
                Set<TopicPartition> partitions) {
            Function<TopicPartition, CompletableFuture<OffsetResponse>> refused = partition ->
                    CompletableFuture.failedFuture(new UnsupportedOperationException("share groups are not available"));
            Map<TopicPartition, CompletableFuture<OffsetResponse>> answers = new HashMap<>();
            partitions.forEach(partition -> answers.put(partition, refused.apply(partition)));
            return answers;
        }

        @Override
        public void close() {
            // nothing is held
        }
    }
}
