package io.sluice.kafka.group;

import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.kafka.connection.Request;
import io.sluice.kafka.convert.Topics;
import io.sluice.log.StreamInfo;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.OffsetCommitRequestData;
import org.apache.kafka.common.message.OffsetCommitResponseData;
import org.apache.kafka.common.message.OffsetCommitResponseData.OffsetCommitResponsePartition;
import org.apache.kafka.common.message.OffsetCommitResponseData.OffsetCommitResponseTopic;
import org.apache.kafka.common.message.OffsetFetchRequestData.OffsetFetchRequestGroup;
import org.apache.kafka.common.message.OffsetFetchRequestData.OffsetFetchRequestTopics;
import org.apache.kafka.common.message.OffsetFetchResponseData.OffsetFetchResponseGroup;
import org.apache.kafka.common.message.OffsetFetchResponseData.OffsetFetchResponsePartitions;
import org.apache.kafka.common.message.OffsetFetchResponseData.OffsetFetchResponseTopics;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.OffsetCommitRequest;
import org.apache.kafka.common.requests.OffsetCommitResponse;
import org.apache.kafka.common.requests.OffsetFetchRequest;
import org.apache.kafka.common.requests.OffsetFetchResponse;
import org.jspecify.annotations.Nullable;

/**
 * OffsetCommit and OffsetFetch: topic ids (version 10) are turned into names, and topics that are unknown or not permitted
 * are answered here; the rest goes to the {@link GroupService}.
 */
final class OffsetRequests {
    private static final short TOPIC_IDS = 10;

    private final Function<Request, ScopedGroups> groups;
    private final Topics topics;

    OffsetRequests(Function<Request, ScopedGroups> groups, Topics topics) {
        this.groups = groups;
        this.topics = topics;
    }

    void commit(Request request) {
        OffsetCommitRequestData data = request.body(OffsetCommitRequest.class).data();
        if (!GroupHandler.may(request.caller(), Operation.READ, data.groupId())) {
            request.fail(Errors.GROUP_AUTHORIZATION_FAILED.exception());
            return;
        }
        List<OffsetCommitResponseTopic> refused = new ArrayList<>();
        data.topics().removeIf(topic -> {
            String name = name(request, topic.name(), topic.topicId());
            topic.setName(name == null ? "" : name);
            Errors error = check(request, name);
            if (error == Errors.NONE && name != null) {
                StreamInfo stream = topics.stream(request.caller(), name);
                int partitions = stream == null ? 0 : stream.partitions();
                OffsetCommitResponseTopic missing = refusal(topic.name(), topic.topicId());
                topic.partitions().removeIf(partition -> {
                    boolean unknown = partition.partitionIndex() < 0 || partition.partitionIndex() >= partitions;
                    if (unknown) {
                        refuse(missing, partition.partitionIndex(), Errors.UNKNOWN_TOPIC_OR_PARTITION);
                    }
                    return unknown;
                });
                if (!missing.partitions().isEmpty()) {
                    refused.add(missing);
                }
                return topic.partitions().isEmpty();
            }
            OffsetCommitResponseTopic answer = refusal(topic.name(), topic.topicId());
            topic.partitions().forEach(partition -> refuse(answer, partition.partitionIndex(), error));
            refused.add(answer);
            return true;
        });
        if (data.topics().isEmpty() && !refused.isEmpty()) {
            request.respond(new OffsetCommitResponse(new OffsetCommitResponseData().setTopics(refused)));
            return;
        }
        GroupHandler.answer(request, groups.apply(request).commit(request.context(), data), response -> {
            merge(response, refused);
            return new OffsetCommitResponse(response);
        });
    }

    private static OffsetCommitResponseTopic refusal(String name, Uuid id) {
        return new OffsetCommitResponseTopic().setName(name).setTopicId(id);
    }

    private static void refuse(OffsetCommitResponseTopic topic, int partition, Errors error) {
        topic.partitions()
                .add(new OffsetCommitResponsePartition()
                        .setPartitionIndex(partition)
                        .setErrorCode(error.code()));
    }

    private static void merge(OffsetCommitResponseData response, List<OffsetCommitResponseTopic> refused) {
        for (OffsetCommitResponseTopic topic : refused) {
            OffsetCommitResponseTopic present = null;
            for (OffsetCommitResponseTopic other : response.topics()) {
                if (other.name().equals(topic.name()) && other.topicId().equals(topic.topicId())) {
                    present = other;
                }
            }
            if (present == null) {
                response.topics().add(topic);
            } else {
                present.partitions().addAll(topic.partitions());
            }
        }
    }

    void fetch(Request request) {
        OffsetFetchRequest body = request.body(OffsetFetchRequest.class);
        List<CompletableFuture<OffsetFetchResponseGroup>> answers = new ArrayList<>();
        for (OffsetFetchRequestGroup group : body.groups()) {
            answers.add(fetch(request, group, body.requireStable()));
        }
        CompletableFuture<Void> all = CompletableFuture.allOf(answers.toArray(CompletableFuture[]::new));
        GroupHandler.answer(request, all, ignored -> {
            OffsetFetchResponse.Builder response = new OffsetFetchResponse.Builder(
                    answers.stream().map(CompletableFuture::join).toList());
            return response.build(request.version());
        });
    }

    private CompletableFuture<OffsetFetchResponseGroup> fetch(
            Request request, OffsetFetchRequestGroup group, boolean requireStable) {
        Caller caller = request.caller();
        if (!GroupHandler.may(caller, Operation.READ, group.groupId())) {
            return CompletableFuture.completedFuture(new OffsetFetchResponseGroup()
                    .setGroupId(group.groupId())
                    .setErrorCode(Errors.GROUP_AUTHORIZATION_FAILED.code()));
        }
        List<OffsetFetchResponseTopics> refused = new ArrayList<>();
        if (group.topics() != null) {
            group.topics().removeIf(topic -> {
                String name = name(request, topic.name(), topic.topicId());
                topic.setName(name == null ? "" : name);
                Errors error = name == null
                        ? Errors.UNKNOWN_TOPIC_ID
                        : topics.may(caller, Operation.READ, name) ? Errors.NONE : Errors.TOPIC_AUTHORIZATION_FAILED;
                if (error != Errors.NONE) {
                    refused.add(refusal(topic, error));
                }
                return error != Errors.NONE;
            });
        }
        boolean all = group.topics() == null;
        return groups.apply(request)
                .fetch(request.context(), group, requireStable)
                .thenApply(answer -> {
                    List<OffsetFetchResponseTopics> found = new ArrayList<>(answer.topics());
                    found.removeIf(topic -> all && !topics.may(caller, Operation.READ, topic.name()));
                    if (request.version() >= TOPIC_IDS) {
                        found.forEach(topic -> {
                            StreamInfo stream = topics.stream(caller, topic.name());
                            topic.setTopicId(stream == null ? Uuid.ZERO_UUID : Topics.topicId(stream));
                        });
                        found.removeIf(topic -> topic.topicId().equals(Uuid.ZERO_UUID));
                    }
                    found.addAll(refused);
                    return answer.setTopics(found);
                });
    }

    private static OffsetFetchResponseTopics refusal(OffsetFetchRequestTopics topic, Errors error) {
        OffsetFetchResponseTopics answer =
                new OffsetFetchResponseTopics().setName(topic.name()).setTopicId(topic.topicId());
        for (int partition : topic.partitionIndexes()) {
            answer.partitions()
                    .add(new OffsetFetchResponsePartitions()
                            .setPartitionIndex(partition)
                            .setCommittedOffset(-1)
                            .setMetadata("")
                            .setErrorCode(error.code()));
        }
        return answer;
    }

    private @Nullable String name(Request request, String name, Uuid id) {
        return request.version() >= TOPIC_IDS ? topics.name(request.caller(), id) : name;
    }

    private Errors check(Request request, @Nullable String name) {
        if (name == null) {
            return Errors.UNKNOWN_TOPIC_ID;
        }
        if (!topics.may(request.caller(), Operation.READ, name)) {
            return Errors.TOPIC_AUTHORIZATION_FAILED;
        }
        return topics.stream(request.caller(), name) == null ? Errors.UNKNOWN_TOPIC_OR_PARTITION : Errors.NONE;
    }
}
