package io.sluice.kafka.group;

import java.util.List;
import java.util.concurrent.CompletableFuture;
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
import org.apache.kafka.common.requests.RequestContext;

/**
 * Consumer groups and their committed offsets. What a future reports as committed is durable. Futures complete on a thread of
 * the service, normally with an error code inside where a request is refused. Thread-safe.
 */
public interface GroupService extends AutoCloseable {
    /** Loads the stored groups; called before listeners open. Until a group is loaded it answers COORDINATOR_LOAD_IN_PROGRESS. */
    void start();

    CompletableFuture<JoinGroupResponseData> join(RequestContext context, JoinGroupRequestData request);

    CompletableFuture<SyncGroupResponseData> sync(RequestContext context, SyncGroupRequestData request);

    CompletableFuture<HeartbeatResponseData> heartbeat(RequestContext context, HeartbeatRequestData request);

    CompletableFuture<LeaveGroupResponseData> leave(RequestContext context, LeaveGroupRequestData request);

    CompletableFuture<ListGroupsResponseData> list(RequestContext context, ListGroupsRequestData request);

    CompletableFuture<List<DescribedGroup>> describe(RequestContext context, List<String> groups);

    CompletableFuture<DeletableGroupResultCollection> delete(RequestContext context, List<String> groups);

    CompletableFuture<OffsetCommitResponseData> commit(RequestContext context, OffsetCommitRequestData request);

    /** Answers all offsets of the group if the request names no topics. */
    CompletableFuture<OffsetFetchResponseGroup> fetch(
            RequestContext context, OffsetFetchRequestGroup group, boolean requireStable);

    CompletableFuture<OffsetDeleteResponseData> deleteOffsets(RequestContext context, OffsetDeleteRequestData request);

    /** Tells the service that topics came, went or grew; offsets of topics that are gone are forgotten. Does not block. */
    void topicsChanged();

    @Override
    void close();
}
