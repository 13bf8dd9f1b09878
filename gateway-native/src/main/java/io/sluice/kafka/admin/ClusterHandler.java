package io.sluice.kafka.admin;

import io.netty.util.NetUtil;
import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.kafka.connection.Apis;
import io.sluice.kafka.connection.Request;
import io.sluice.kafka.convert.KafkaErrors;
import io.sluice.kafka.convert.Topics;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamInfo;
import io.sluice.routing.Broker;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.internals.Topic;
import org.apache.kafka.common.message.ApiVersionsResponseData;
import org.apache.kafka.common.message.ApiVersionsResponseData.ApiVersion;
import org.apache.kafka.common.message.DescribeClusterResponseData;
import org.apache.kafka.common.message.DescribeClusterResponseData.DescribeClusterBroker;
import org.apache.kafka.common.message.MetadataResponseData;
import org.apache.kafka.common.message.MetadataResponseData.MetadataResponseBroker;
import org.apache.kafka.common.message.MetadataResponseData.MetadataResponsePartition;
import org.apache.kafka.common.message.MetadataResponseData.MetadataResponseTopic;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.ApiVersionsRequest;
import org.apache.kafka.common.requests.ApiVersionsResponse;
import org.apache.kafka.common.requests.DescribeClusterRequest;
import org.apache.kafka.common.requests.DescribeClusterResponse;
import org.apache.kafka.common.requests.MetadataRequest;
import org.apache.kafka.common.requests.MetadataResponse;
import org.jspecify.annotations.Nullable;

/** ApiVersions, Metadata and DescribeCluster. */
public final class ClusterHandler {
    /** Operations are not worked out unless the client asks (KIP-430); this says "not worked out". */
    private static final int NO_OPERATIONS = Integer.MIN_VALUE;

    /** Bits of describe, create, delete, alter, read, write, describe-configs and alter-configs. */
    private static final int ALL_OPERATIONS = 0b1101_1111_1000;

    private final Broker broker;
    private final Topics topics;
    private final Apis apis;
    private final @Nullable InetSocketAddress advertised;
    private final boolean autoCreate;
    private final int defaultPartitions;

    /**
     * Makes a handler.
     *
     * @param advertised {@code host:port}, null = the local address each client reached
     */
    public ClusterHandler(
            Broker broker,
            Topics topics,
            Apis apis,
            @Nullable String advertised,
            boolean autoCreate,
            int defaultPartitions) {
        this.broker = broker;
        this.topics = topics;
        this.apis = apis;
        this.advertised = advertised == null ? null : parse(advertised);
        this.autoCreate = autoCreate;
        this.defaultPartitions = defaultPartitions;
    }

    /** Host that this client is told to connect to. */
    public String host(Request request) {
        if (advertised != null) {
            return advertised.getHostString();
        }
        return NetUtil.toAddressString(request.localAddress().getAddress());
    }

    /** Port that this client is told to connect to. */
    public int port(Request request) {
        return advertised != null
                ? advertised.getPort()
                : request.localAddress().getPort();
    }

    /** ApiVersions: only what is served. */
    public void apiVersions(Request request) {
        ApiVersionsRequest body = request.body(ApiVersionsRequest.class);
        ApiVersionsResponseData response = new ApiVersionsResponseData();
        if (body.hasUnsupportedRequestVersion()) {
            response.setErrorCode(Errors.UNSUPPORTED_VERSION.code());
        } else if (!body.isValid()) {
            request.respond(body.getErrorResponse(Errors.INVALID_REQUEST.exception()));
            return;
        }
        apis.entries().forEach((key, entry) -> {
            // librdkafka takes a minimum above 2 for a broker without Produce; Kafka announces 0 for its sake
            // (KIP-896).
            short min = key == ApiKeys.PRODUCE ? 0 : entry.minVersion();
            response.apiKeys()
                    .add(new ApiVersion().setApiKey(key.id).setMinVersion(min).setMaxVersion(entry.maxVersion()));
        });
        request.respond(new ApiVersionsResponse(response));
    }

    /** DescribeCluster: one node. */
    public void describeCluster(Request request) {
        var data = request.body(DescribeClusterRequest.class).data();
        DescribeClusterResponseData response = new DescribeClusterResponseData()
                .setClusterId(broker.engine().clusterId())
                .setControllerId(broker.engine().nodeId())
                .setEndpointType(data.endpointType())
                .setClusterAuthorizedOperations(NO_OPERATIONS);
        if (data.endpointType() != 1) {
            response.setErrorCode(Errors.MISMATCHED_ENDPOINT_TYPE.code());
        } else {
            response.brokers()
                    .add(new DescribeClusterBroker()
                            .setBrokerId(broker.engine().nodeId())
                            .setHost(host(request))
                            .setPort(port(request)));
        }
        request.respond(new DescribeClusterResponse(response));
    }

    /** Metadata; unknown topics are created where client and settings allow it. */
    public void metadata(Request request) {
        MetadataRequest body = request.body(MetadataRequest.class);
        boolean operations = body.data().includeTopicAuthorizedOperations();
        MetadataResponseData response = new MetadataResponseData()
                .setClusterId(broker.engine().clusterId())
                .setControllerId(broker.engine().nodeId());
        response.brokers()
                .add(new MetadataResponseBroker()
                        .setNodeId(broker.engine().nodeId())
                        .setHost(host(request))
                        .setPort(port(request)));
        List<CompletableFuture<MetadataResponseTopic>> found = new ArrayList<>();
        if (body.isAllTopics()) {
            for (String name : topics.names(request.caller())) {
                found.add(byName(request, name, false));
            }
        } else {
            boolean create = autoCreate && body.allowAutoTopicCreation();
            for (var topic : body.data().topics()) {
                if (!Uuid.ZERO_UUID.equals(topic.topicId())) {
                    String name = topics.name(request.caller(), topic.topicId());
                    found.add(
                            name == null
                                    ? CompletableFuture.completedFuture(
                                            refusal("", Errors.UNKNOWN_TOPIC_ID).setTopicId(topic.topicId()))
                                    : byName(request, name, false));
                } else if (topic.name() == null) {
                    found.add(CompletableFuture.completedFuture(refusal("", Errors.INVALID_REQUEST)));
                } else {
                    found.add(byName(request, topic.name(), create));
                }
            }
        }
        CompletableFuture.allOf(found.toArray(CompletableFuture[]::new)).whenComplete((ignored, error) -> {
            for (CompletableFuture<MetadataResponseTopic> topic : found) {
                MetadataResponseTopic answer = topic.getNow(refusal("", Errors.UNKNOWN_SERVER_ERROR));
                if (operations && answer.errorCode() == 0) {
                    answer.setTopicAuthorizedOperations(ALL_OPERATIONS);
                }
                response.topics().add(answer);
            }
            request.respond(new MetadataResponse(response, request.version()));
        });
    }

    private CompletableFuture<MetadataResponseTopic> byName(Request request, String name, boolean create) {
        Caller caller = request.caller();
        if (!topics.may(caller, Operation.READ, name) && !topics.may(caller, Operation.WRITE, name)) {
            return CompletableFuture.completedFuture(refusal(name, Errors.TOPIC_AUTHORIZATION_FAILED));
        }
        StreamInfo stream = topics.stream(caller, name);
        if (stream != null) {
            return CompletableFuture.completedFuture(describe(name, stream));
        }
        if (!Topic.isValid(name) || !Topics.isTopicName(name)) {
            return CompletableFuture.completedFuture(refusal(name, Errors.INVALID_TOPIC_EXCEPTION));
        }
        if (!create) {
            return CompletableFuture.completedFuture(refusal(name, Errors.UNKNOWN_TOPIC_OR_PARTITION));
        }
        return topics.host(caller)
                .declareStream(caller, name, defaultPartitions, StreamConfig.DEFAULT, Map.of())
                .handle((created, error) -> error == null ? describe(name, created) : notCreated(caller, name, error))
                .toCompletableFuture();
    }

    private MetadataResponseTopic notCreated(Caller caller, String name, Throwable error) {
        StreamInfo other = topics.stream(caller, name);
        if (other != null) {
            return describe(name, other);
        }
        Errors code = KafkaErrors.of(error);
        // the name is a queue's: told that the topic exists, clients would ask for it again until their time is up
        return refusal(name, code == Errors.TOPIC_ALREADY_EXISTS ? Errors.INVALID_TOPIC_EXCEPTION : code);
    }

    private MetadataResponseTopic describe(String name, StreamInfo stream) {
        MetadataResponseTopic topic = new MetadataResponseTopic()
                .setName(name)
                .setTopicId(Topics.topicId(stream))
                .setTopicAuthorizedOperations(NO_OPERATIONS);
        List<Integer> nodes = List.of(broker.engine().nodeId());
        for (int i = 0; i < stream.partitions(); i++) {
            LogPartition partition = broker.engine().partition(new PartitionId(stream.id(), i));
            MetadataResponsePartition answer = new MetadataResponsePartition()
                    .setPartitionIndex(i)
                    .setReplicaNodes(nodes)
                    .setIsrNodes(nodes);
            if (partition == null) {
                answer.setErrorCode(Errors.LEADER_NOT_AVAILABLE.code()).setLeaderId(-1);
            } else {
                answer.setLeaderId(broker.engine().nodeId()).setLeaderEpoch(partition.leaderEpoch());
            }
            topic.partitions().add(answer);
        }
        return topic;
    }

    private static MetadataResponseTopic refusal(String name, Errors error) {
        return new MetadataResponseTopic()
                .setName(name)
                .setErrorCode(error.code())
                .setTopicAuthorizedOperations(NO_OPERATIONS);
    }

    private static InetSocketAddress parse(String address) {
        int colon = address.lastIndexOf(':');
        if (colon <= 0) {
            throw new IllegalArgumentException("advertised address must be host:port, not '" + address + "'");
        }
        String host = address.substring(0, colon);
        if (host.startsWith("[") && host.endsWith("]")) {
            host = host.substring(1, host.length() - 1);
        }
        return InetSocketAddress.createUnresolved(host, Integer.parseInt(address.substring(colon + 1)));
    }
}
