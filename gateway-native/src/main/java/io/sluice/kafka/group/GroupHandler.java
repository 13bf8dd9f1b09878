package io.sluice.kafka.group;

import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.access.Resource;
import io.sluice.kafka.connection.Apis;
import io.sluice.kafka.connection.Request;
import io.sluice.kafka.convert.Topics;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.apache.kafka.common.message.DeleteGroupsResponseData;
import org.apache.kafka.common.message.DeleteGroupsResponseData.DeletableGroupResult;
import org.apache.kafka.common.message.DescribeGroupsResponseData;
import org.apache.kafka.common.message.DescribeGroupsResponseData.DescribedGroup;
import org.apache.kafka.common.message.FindCoordinatorResponseData;
import org.apache.kafka.common.message.FindCoordinatorResponseData.Coordinator;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.DeleteGroupsRequest;
import org.apache.kafka.common.requests.DeleteGroupsResponse;
import org.apache.kafka.common.requests.DescribeGroupsRequest;
import org.apache.kafka.common.requests.DescribeGroupsResponse;
import org.apache.kafka.common.requests.FindCoordinatorRequest;
import org.apache.kafka.common.requests.FindCoordinatorRequest.CoordinatorType;
import org.apache.kafka.common.requests.FindCoordinatorResponse;
import org.apache.kafka.common.requests.HeartbeatRequest;
import org.apache.kafka.common.requests.HeartbeatResponse;
import org.apache.kafka.common.requests.JoinGroupRequest;
import org.apache.kafka.common.requests.JoinGroupResponse;
import org.apache.kafka.common.requests.LeaveGroupRequest;
import org.apache.kafka.common.requests.LeaveGroupResponse;
import org.apache.kafka.common.requests.ListGroupsRequest;
import org.apache.kafka.common.requests.ListGroupsResponse;
import org.apache.kafka.common.requests.OffsetDeleteRequest;
import org.apache.kafka.common.requests.OffsetDeleteResponse;
import org.apache.kafka.common.requests.SyncGroupRequest;
import org.apache.kafka.common.requests.SyncGroupResponse;

/** Requests of classic consumer groups: authorised here, answered by the {@link GroupService}. */
public final class GroupHandler {
    private final GroupService groups;
    private final Function<Request, String> host;
    private final Function<Request, Integer> port;
    private final int nodeId;
    private final OffsetRequests offsets;
    private final Map<String, ScopedGroups> scopes = new ConcurrentHashMap<>();

    /**
     * Makes a handler.
     *
     * @param host address that the client is told to connect to
     * @param port port that the client is told to connect to
     */
    public GroupHandler(
            GroupService groups,
            Topics topics,
            int nodeId,
            Function<Request, String> host,
            Function<Request, Integer> port) {
        this.groups = groups;
        this.nodeId = nodeId;
        this.host = host;
        this.port = port;
        this.offsets = new OffsetRequests(this::groups, topics);
    }

    /** Announces the APIs of groups. */
    public void register(Apis apis) {
        apis.add(ApiKeys.FIND_COORDINATOR, this::findCoordinator);
        apis.add(ApiKeys.JOIN_GROUP, this::join);
        apis.add(ApiKeys.SYNC_GROUP, this::sync);
        apis.add(ApiKeys.HEARTBEAT, this::heartbeat);
        apis.add(ApiKeys.LEAVE_GROUP, this::leave);
        apis.add(ApiKeys.OFFSET_COMMIT, offsets::commit);
        apis.add(ApiKeys.OFFSET_FETCH, offsets::fetch);
        apis.add(ApiKeys.OFFSET_DELETE, this::deleteOffsets);
        apis.add(ApiKeys.DESCRIBE_GROUPS, this::describe);
        apis.add(ApiKeys.LIST_GROUPS, this::list);
        apis.add(ApiKeys.DELETE_GROUPS, this::delete);
    }

    private void findCoordinator(Request request) {
        var data = request.body(FindCoordinatorRequest.class).data();
        FindCoordinatorResponseData response = new FindCoordinatorResponseData();
        if (request.version() < FindCoordinatorRequest.MIN_BATCHED_VERSION) {
            Coordinator found = coordinator(request, data.keyType(), data.key());
            response.setErrorCode(found.errorCode())
                    .setErrorMessage(found.errorMessage())
                    .setNodeId(found.nodeId())
                    .setHost(found.host())
                    .setPort(found.port());
        } else {
            for (String key : data.coordinatorKeys()) {
                response.coordinators().add(coordinator(request, data.keyType(), key));
            }
        }
        request.respond(new FindCoordinatorResponse(response));
    }

    private Coordinator coordinator(Request request, byte type, String key) {
        Coordinator answer =
                new Coordinator().setKey(key).setNodeId(-1).setHost("").setPort(-1);
        if (type == CoordinatorType.TRANSACTION.id()) {
            return answer.setErrorCode(Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED.code())
                    .setErrorMessage("transactions are not available");
        }
        if (type != CoordinatorType.GROUP.id()) {
            return answer.setErrorCode(Errors.INVALID_REQUEST.code())
                    .setErrorMessage("there is no coordinator of type " + type);
        }
        if (!may(request.caller(), Operation.READ, key)) {
            return answer.setErrorCode(Errors.GROUP_AUTHORIZATION_FAILED.code())
                    .setErrorMessage(Errors.GROUP_AUTHORIZATION_FAILED.message());
        }
        return answer.setErrorMessage(Errors.NONE.message())
                .setNodeId(nodeId)
                .setHost(host.apply(request))
                .setPort(port.apply(request));
    }

    private void join(Request request) {
        var data = request.body(JoinGroupRequest.class).data();
        if (allowed(request, data.groupId())) {
            answer(
                    request,
                    groups(request).join(request.context(), data),
                    response -> new JoinGroupResponse(response, request.version()));
        }
    }

    private void sync(Request request) {
        var data = request.body(SyncGroupRequest.class).data();
        if (allowed(request, data.groupId())) {
            answer(request, groups(request).sync(request.context(), data), SyncGroupResponse::new);
        }
    }

    private void heartbeat(Request request) {
        var data = request.body(HeartbeatRequest.class).data();
        if (allowed(request, data.groupId())) {
            answer(request, groups(request).heartbeat(request.context(), data), HeartbeatResponse::new);
        }
    }

    private void leave(Request request) {
        LeaveGroupRequest body = request.body(LeaveGroupRequest.class);
        if (allowed(request, body.data().groupId())) {
            // before version 3 the one member stands in the request itself
            var data = body.normalizedData();
            answer(
                    request,
                    groups(request).leave(request.context(), data),
                    response -> new LeaveGroupResponse(response, request.version()));
        }
    }

    private void list(Request request) {
        var data = request.body(ListGroupsRequest.class).data();
        Caller caller = request.caller();
        answer(request, groups(request).list(request.context(), data), response -> {
            response.groups().removeIf(group -> !may(caller, Operation.READ, group.groupId()));
            return new ListGroupsResponse(response);
        });
    }

    private void describe(Request request) {
        var data = request.body(DescribeGroupsRequest.class).data();
        List<String> allowed = new ArrayList<>();
        List<DescribedGroup> refused = new ArrayList<>();
        for (String group : data.groups()) {
            if (may(request.caller(), Operation.READ, group)) {
                allowed.add(group);
            } else {
                refused.add(DescribeGroupsResponse.groupError(group, Errors.GROUP_AUTHORIZATION_FAILED));
            }
        }
        answer(request, groups(request).describe(request.context(), allowed), described -> {
            DescribeGroupsResponseData response = new DescribeGroupsResponseData();
            response.groups().addAll(described);
            response.groups().addAll(refused);
            return new DescribeGroupsResponse(response);
        });
    }

    private void delete(Request request) {
        var data = request.body(DeleteGroupsRequest.class).data();
        List<String> allowed = new ArrayList<>();
        List<DeletableGroupResult> refused = new ArrayList<>();
        for (String group : data.groupsNames()) {
            if (may(request.caller(), Operation.CONFIGURE, group)) {
                allowed.add(group);
            } else {
                refused.add(new DeletableGroupResult()
                        .setGroupId(group)
                        .setErrorCode(Errors.GROUP_AUTHORIZATION_FAILED.code()));
            }
        }
        answer(request, groups(request).delete(request.context(), allowed), deleted -> {
            DeleteGroupsResponseData response = new DeleteGroupsResponseData().setResults(deleted);
            refused.forEach(response.results()::add);
            return new DeleteGroupsResponse(response);
        });
    }

    private void deleteOffsets(Request request) {
        var data = request.body(OffsetDeleteRequest.class).data();
        if (!may(request.caller(), Operation.CONFIGURE, data.groupId())) {
            request.fail(Errors.GROUP_AUTHORIZATION_FAILED.exception());
            return;
        }
        answer(request, groups(request).deleteOffsets(request.context(), data), OffsetDeleteResponse::new);
    }

    private boolean allowed(Request request, String group) {
        if (!GroupScope.isValid(group)) {
            request.fail(Errors.INVALID_GROUP_ID.exception());
            return false;
        }
        if (may(request.caller(), Operation.READ, group)) {
            return true;
        }
        request.fail(Errors.GROUP_AUTHORIZATION_FAILED.exception());
        return false;
    }

    /** The groups of the caller's virtual host. */
    private ScopedGroups groups(Request request) {
        return scopes.computeIfAbsent(
                request.caller().vhost(), vhost -> new ScopedGroups(groups, GroupScope.of(vhost)));
    }

    static boolean may(Caller caller, Operation operation, String group) {
        return GroupScope.isValid(group) && caller.may(operation, Resource.Kind.GROUP, group);
    }

    static <T> void answer(Request request, CompletableFuture<T> result, Function<T, AbstractResponse> form) {
        result.whenComplete((value, error) -> {
            if (error == null) {
                request.respond(form.apply(value));
            } else {
                request.fail(error);
            }
        });
    }
}
