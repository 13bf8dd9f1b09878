package io.sluice.kafka.admin;

import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.kafka.connection.Request;
import io.sluice.kafka.convert.KafkaErrors;
import io.sluice.kafka.convert.Topics;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamInfo;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.message.CreatePartitionsRequestData.CreatePartitionsTopic;
import org.apache.kafka.common.message.CreatePartitionsResponseData;
import org.apache.kafka.common.message.CreatePartitionsResponseData.CreatePartitionsTopicResult;
import org.apache.kafka.common.message.CreateTopicsRequestData.CreatableTopic;
import org.apache.kafka.common.message.CreateTopicsResponseData;
import org.apache.kafka.common.message.CreateTopicsResponseData.CreatableTopicConfigs;
import org.apache.kafka.common.message.CreateTopicsResponseData.CreatableTopicResult;
import org.apache.kafka.common.message.DeleteTopicsRequestData;
import org.apache.kafka.common.message.DeleteTopicsResponseData;
import org.apache.kafka.common.message.DeleteTopicsResponseData.DeletableTopicResult;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.CreatePartitionsRequest;
import org.apache.kafka.common.requests.CreatePartitionsResponse;
import org.apache.kafka.common.requests.CreateTopicsRequest;
import org.apache.kafka.common.requests.CreateTopicsResponse;
import org.apache.kafka.common.requests.DeleteTopicsRequest;
import org.apache.kafka.common.requests.DeleteTopicsResponse;
import org.apache.kafka.common.requests.DescribeConfigsResponse.ConfigSource;

/** CreateTopics, DeleteTopics and CreatePartitions. */
public final class TopicsHandler {
    private static final int MAX_PARTITIONS = 10_000;

    private final Topics topics;
    private final int defaultPartitions;

    public TopicsHandler(Topics topics, int defaultPartitions) {
        this.topics = topics;
        this.defaultPartitions = defaultPartitions;
    }

    /** CreateTopics. One node: replication factor 1 (or -1, the default), no manual assignment beyond it. */
    public void createTopics(Request request) {
        var data = request.body(CreateTopicsRequest.class).data();
        CreateTopicsResponseData response = new CreateTopicsResponseData();
        List<CompletionStage<CreatableTopicResult>> results = new ArrayList<>();
        for (CreatableTopic topic : data.topics()) {
            boolean twice = data.topics().findAll(topic.name()).size() > 1;
            results.add(
                    twice
                            ? CompletableFuture.completedFuture(
                                    refusal(topic.name(), Errors.INVALID_REQUEST, "topic is named more than once"))
                            : create(request.caller(), topic, data.validateOnly()));
        }
        whenAll(results, done -> {
            done.forEach(result -> {
                if (response.topics().find(result.name()) == null) {
                    response.topics().add(result);
                }
            });
            request.respond(new CreateTopicsResponse(response));
        });
    }

    private CompletionStage<CreatableTopicResult> create(Caller caller, CreatableTopic topic, boolean validateOnly) {
        String name = topic.name();
        if (!topics.may(caller, Operation.CONFIGURE, name)) {
            return refused(name, Errors.TOPIC_AUTHORIZATION_FAILED, null);
        }
        if (!Topics.isTopicName(name)) {
            return refused(name, Errors.INVALID_TOPIC_EXCEPTION, "not a topic name, or reserved: " + name);
        }
        if (topics.stream(caller, name) != null || topics.host(caller).table().queue(name) != null) {
            return refused(name, Errors.TOPIC_ALREADY_EXISTS, "Topic '" + name + "' already exists.");
        }
        if (!topic.assignments().isEmpty() || topic.replicationFactor() > 1 || topic.replicationFactor() == 0) {
            return refused(name, Errors.INVALID_REPLICATION_FACTOR, "there is one node: replication factor must be 1");
        }
        int partitions = topic.numPartitions() == -1 ? defaultPartitions : topic.numPartitions();
        if (partitions < 1 || partitions > MAX_PARTITIONS) {
            return refused(name, Errors.INVALID_PARTITIONS, "partitions must be 1.." + MAX_PARTITIONS);
        }
        Map<String, String> configs = new HashMap<>();
        StreamConfig config;
        try {
            for (var entry : topic.configs()) {
                if (entry.value() == null) {
                    throw new ConfigException("Null value not supported for topic configs: " + entry.name());
                }
                configs.put(entry.name(), entry.value());
            }
            config = TopicConfigs.parse(configs);
        } catch (ConfigException e) {
            return refused(name, Errors.INVALID_CONFIG, e.getMessage());
        }
        if (validateOnly) {
            return CompletableFuture.completedFuture(created(name, Uuid.ZERO_UUID, partitions, config, configs));
        }
        return topics.host(caller)
                .declareStream(caller, name, partitions, config, configs)
                .handle((stream, error) -> error == null
                        ? created(name, Topics.topicId(stream), partitions, config, configs)
                        : refusal(name, KafkaErrors.of(error), KafkaErrors.message(error)));
    }

    private static CreatableTopicResult created(
            String name, Uuid id, int partitions, StreamConfig config, Map<String, String> explicit) {
        CreatableTopicResult result = new CreatableTopicResult()
                .setName(name)
                .setTopicId(id)
                .setNumPartitions(partitions)
                .setReplicationFactor((short) 1);
        TopicConfigs.describe(config)
                .forEach((key, value) -> result.configs()
                        .add(new CreatableTopicConfigs()
                                .setName(key)
                                .setValue(value)
                                .setReadOnly(TopicConfigs.isFixed(key))
                                .setConfigSource(source(explicit, key))));
        return result;
    }

    static byte source(Map<String, String> explicit, String key) {
        return (explicit.containsKey(key) ? ConfigSource.TOPIC_CONFIG : ConfigSource.DEFAULT_CONFIG).id();
    }

    /** DeleteTopics, by name or id. */
    public void deleteTopics(Request request) {
        DeleteTopicsRequestData data = request.body(DeleteTopicsRequest.class).data();
        DeleteTopicsResponseData response = new DeleteTopicsResponseData();
        List<CompletionStage<DeletableTopicResult>> results = new ArrayList<>();
        for (String name : data.topicNames()) {
            results.add(delete(request.caller(), name, Uuid.ZERO_UUID));
        }
        for (var topic : data.topics()) {
            String name = topic.name() == null ? topics.name(request.caller(), topic.topicId()) : topic.name();
            results.add(
                    name == null
                            ? CompletableFuture.completedFuture(new DeletableTopicResult()
                                    .setName(null)
                                    .setTopicId(topic.topicId())
                                    .setErrorCode(Errors.UNKNOWN_TOPIC_ID.code()))
                            : delete(request.caller(), name, topic.topicId()));
        }
        whenAll(results, done -> {
            done.forEach(response.responses()::add);
            request.respond(new DeleteTopicsResponse(response));
        });
    }

    private CompletionStage<DeletableTopicResult> delete(Caller caller, String name, Uuid id) {
        DeletableTopicResult result = new DeletableTopicResult().setName(name).setTopicId(id);
        Errors refusal = may(caller, name);
        if (refusal != Errors.NONE) {
            return CompletableFuture.completedFuture(result.setErrorCode(refusal.code()));
        }
        return topics.host(caller)
                .deleteStream(caller, topics.streamName(caller, name))
                .handle((deleted, error) -> error == null
                        ? result
                        : result.setErrorCode(KafkaErrors.of(error).code())
                                .setErrorMessage(KafkaErrors.message(error)));
    }

    private Errors may(Caller caller, String name) {
        if (!topics.may(caller, Operation.CONFIGURE, name)) {
            return Errors.TOPIC_AUTHORIZATION_FAILED;
        }
        return topics.stream(caller, name) == null ? Errors.UNKNOWN_TOPIC_OR_PARTITION : Errors.NONE;
    }

    /** CreatePartitions. */
    public void createPartitions(Request request) {
        var data = request.body(CreatePartitionsRequest.class).data();
        CreatePartitionsResponseData response = new CreatePartitionsResponseData();
        List<CompletionStage<CreatePartitionsTopicResult>> results = new ArrayList<>();
        for (CreatePartitionsTopic topic : data.topics()) {
            results.add(grow(request.caller(), topic, data.validateOnly()));
        }
        whenAll(results, done -> {
            response.results().addAll(done);
            request.respond(new CreatePartitionsResponse(response));
        });
    }

    private CompletionStage<CreatePartitionsTopicResult> grow(
            Caller caller, CreatePartitionsTopic topic, boolean validateOnly) {
        String name = topic.name();
        CreatePartitionsTopicResult result = new CreatePartitionsTopicResult().setName(name);
        Errors refusal = may(caller, name);
        StreamInfo stream = topics.stream(caller, name);
        if (refusal != Errors.NONE || stream == null) {
            return CompletableFuture.completedFuture(result.setErrorCode(refusal.code()));
        }
        if (topic.count() <= stream.partitions() || topic.count() > MAX_PARTITIONS) {
            return CompletableFuture.completedFuture(result.setErrorCode(Errors.INVALID_PARTITIONS.code())
                    .setErrorMessage("Topic has " + stream.partitions() + " partitions; the new number must be in "
                            + (stream.partitions() + 1) + ".." + MAX_PARTITIONS));
        }
        if (topic.assignments() != null) {
            return CompletableFuture.completedFuture(result.setErrorCode(Errors.INVALID_REPLICA_ASSIGNMENT.code())
                    .setErrorMessage("there is one node: no manual assignment"));
        }
        if (validateOnly) {
            return CompletableFuture.completedFuture(result);
        }
        return topics.host(caller)
                .addPartitions(caller, topics.streamName(caller, name), topic.count())
                .handle((grown, error) -> error == null
                        ? result
                        : result.setErrorCode(KafkaErrors.of(error).code())
                                .setErrorMessage(KafkaErrors.message(error)));
    }

    private static CreatableTopicResult refusal(
            String name, Errors error, @org.jspecify.annotations.Nullable String message) {
        return new CreatableTopicResult()
                .setName(name)
                .setErrorCode(error.code())
                .setErrorMessage(message == null ? error.message() : message);
    }

    private static CompletionStage<CreatableTopicResult> refused(
            String name, Errors error, @org.jspecify.annotations.Nullable String message) {
        return CompletableFuture.completedFuture(refusal(name, error, message));
    }

    /** Runs {@code then} with all results in order; the stages never fail. */
    static <T> void whenAll(List<CompletionStage<T>> stages, java.util.function.Consumer<List<T>> then) {
        CompletionStage<List<T>> all = CompletableFuture.completedFuture(new ArrayList<>(stages.size()));
        for (CompletionStage<T> stage : stages) {
            all = all.thenCombine(stage, (list, result) -> {
                list.add(result);
                return list;
            });
        }
        all.thenAccept(then);
    }
}
