package io.sluice.kafka.group;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.kafka.common.message.DeleteGroupsResponseData.DeletableGroupResult;
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
import org.apache.kafka.common.message.OffsetDeleteRequestData.OffsetDeleteRequestTopic;
import org.apache.kafka.common.message.OffsetDeleteRequestData.OffsetDeleteRequestTopicCollection;
import org.apache.kafka.common.message.OffsetDeleteResponseData;
import org.apache.kafka.common.message.OffsetDeleteResponseData.OffsetDeleteResponseTopic;
import org.apache.kafka.common.message.OffsetDeleteResponseData.OffsetDeleteResponseTopicCollection;
import org.apache.kafka.common.message.OffsetFetchRequestData.OffsetFetchRequestGroup;
import org.apache.kafka.common.message.OffsetFetchResponseData.OffsetFetchResponseGroup;
import org.apache.kafka.common.message.SyncGroupRequestData;
import org.apache.kafka.common.message.SyncGroupResponseData;
import org.apache.kafka.common.requests.RequestContext;

/**
 * The groups of one virtual host: names are put into the host's {@link GroupScope} on the way in and taken out on the way
 * back, so that equal group ids of two hosts are two groups. Requests are changed in place. Thread-safe.
 */
final class ScopedGroups {
    private final GroupService groups;
    private final GroupScope scope;

    ScopedGroups(GroupService groups, GroupScope scope) {
        this.groups = groups;
        this.scope = scope;
    }

    CompletableFuture<JoinGroupResponseData> join(RequestContext context, JoinGroupRequestData request) {
        return groups.join(context, request.setGroupId(scope.in(request.groupId())));
    }

    CompletableFuture<SyncGroupResponseData> sync(RequestContext context, SyncGroupRequestData request) {
        return groups.sync(context, request.setGroupId(scope.in(request.groupId())));
    }

    CompletableFuture<HeartbeatResponseData> heartbeat(RequestContext context, HeartbeatRequestData request) {
        return groups.heartbeat(context, request.setGroupId(scope.in(request.groupId())));
    }

    CompletableFuture<LeaveGroupResponseData> leave(RequestContext context, LeaveGroupRequestData request) {
        return groups.leave(context, request.setGroupId(scope.in(request.groupId())));
    }

    CompletableFuture<ListGroupsResponseData> list(RequestContext context, ListGroupsRequestData request) {
        return groups.list(context, request).thenApply(response -> {
            List<ListGroupsResponseData.ListedGroup> own = new ArrayList<>();
            for (ListGroupsResponseData.ListedGroup group : response.groups()) {
                if (scope.owns(group.groupId())) {
                    own.add(group.setGroupId(scope.out(group.groupId())));
                }
            }
            return response.setGroups(own);
        });
    }

    CompletableFuture<List<DescribedGroup>> describe(RequestContext context, List<String> ids) {
        return groups.describe(context, in(ids)).thenApply(described -> {
            described.forEach(group -> group.setGroupId(scope.out(group.groupId())));
            return described;
        });
    }

    CompletableFuture<DeletableGroupResultCollection> delete(RequestContext context, List<String> ids) {
        return groups.delete(context, in(ids)).thenApply(deleted -> {
            if (scope.isDefault()) {
                return deleted;
            }
            DeletableGroupResultCollection own = new DeletableGroupResultCollection();
            for (DeletableGroupResult result : deleted) {
                own.add(result.duplicate().setGroupId(scope.out(result.groupId())));
            }
            return own;
        });
    }

    CompletableFuture<OffsetCommitResponseData> commit(RequestContext context, OffsetCommitRequestData request) {
        if (scope.isDefault()) {
            return groups.commit(context, request);
        }
        request.setGroupId(scope.in(request.groupId()));
        request.topics().forEach(topic -> topic.setName(scope.in(topic.name())));
        return groups.commit(context, request).thenApply(response -> {
            response.topics().forEach(topic -> topic.setName(scope.out(topic.name())));
            return response;
        });
    }

    /** Answers all offsets of the group if the request names no topics. */
    CompletableFuture<OffsetFetchResponseGroup> fetch(
            RequestContext context, OffsetFetchRequestGroup group, boolean requireStable) {
        if (scope.isDefault()) {
            return groups.fetch(context, group, requireStable);
        }
        group.setGroupId(scope.in(group.groupId()));
        if (group.topics() != null) {
            group.topics().forEach(topic -> topic.setName(scope.in(topic.name())));
        }
        return groups.fetch(context, group, requireStable).thenApply(response -> {
            response.topics().forEach(topic -> topic.setName(scope.out(topic.name())));
            return response.setGroupId(scope.out(response.groupId()));
        });
    }

    CompletableFuture<OffsetDeleteResponseData> deleteOffsets(RequestContext context, OffsetDeleteRequestData request) {
        if (scope.isDefault()) {
            return groups.deleteOffsets(context, request);
        }
        OffsetDeleteRequestTopicCollection topics = new OffsetDeleteRequestTopicCollection();
        for (OffsetDeleteRequestTopic topic : request.topics()) {
            topics.add(topic.duplicate().setName(scope.in(topic.name())));
        }
        request.setGroupId(scope.in(request.groupId())).setTopics(topics);
        return groups.deleteOffsets(context, request).thenApply(response -> {
            OffsetDeleteResponseTopicCollection own = new OffsetDeleteResponseTopicCollection();
            for (OffsetDeleteResponseTopic topic : response.topics()) {
                own.add(topic.duplicate().setName(scope.out(topic.name())));
            }
            return response.setTopics(own);
        });
    }

    private List<String> in(List<String> ids) {
        return scope.isDefault() ? ids : ids.stream().map(scope::in).toList();
    }
}
