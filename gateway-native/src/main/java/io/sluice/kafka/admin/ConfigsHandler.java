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
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.message.DescribeConfigsRequestData.DescribeConfigsResource;
import org.apache.kafka.common.message.DescribeConfigsResponseData;
import org.apache.kafka.common.message.DescribeConfigsResponseData.DescribeConfigsResourceResult;
import org.apache.kafka.common.message.DescribeConfigsResponseData.DescribeConfigsResult;
import org.apache.kafka.common.message.IncrementalAlterConfigsRequestData.AlterConfigsResource;
import org.apache.kafka.common.message.IncrementalAlterConfigsResponseData;
import org.apache.kafka.common.message.IncrementalAlterConfigsResponseData.AlterConfigsResourceResponse;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.DescribeConfigsRequest;
import org.apache.kafka.common.requests.DescribeConfigsResponse;
import org.apache.kafka.common.requests.DescribeConfigsResponse.ConfigSource;
import org.apache.kafka.common.requests.IncrementalAlterConfigsRequest;
import org.apache.kafka.common.requests.IncrementalAlterConfigsResponse;

/** DescribeConfigs and IncrementalAlterConfigs, for topics; of the broker, what clients ask for is listed read-only. */
public final class ConfigsHandler {
    private final Topics topics;
    private final Map<String, String> brokerConfigs;

    /**
     * Makes a handler.
     *
     * @param brokerConfigs Kafka names and values of the door's own settings
     */
    public ConfigsHandler(Topics topics, Map<String, String> brokerConfigs) {
        this.topics = topics;
        this.brokerConfigs = Map.copyOf(brokerConfigs);
    }

    public void describeConfigs(Request request) {
        var data = request.body(DescribeConfigsRequest.class).data();
        DescribeConfigsResponseData response = new DescribeConfigsResponseData();
        for (DescribeConfigsResource resource : data.resources()) {
            response.results().add(describe(request.caller(), resource));
        }
        request.respond(new DescribeConfigsResponse(response));
    }

    private DescribeConfigsResult describe(Caller caller, DescribeConfigsResource resource) {
        DescribeConfigsResult result = new DescribeConfigsResult()
                .setResourceType(resource.resourceType())
                .setResourceName(resource.resourceName());
        ConfigResource.Type type = ConfigResource.Type.forId(resource.resourceType());
        if (type == ConfigResource.Type.BROKER) {
            brokerConfigs.forEach(
                    (name, value) -> add(result, resource, name, value, true, ConfigSource.STATIC_BROKER_CONFIG.id()));
            return result;
        }
        if (type != ConfigResource.Type.TOPIC) {
            return result.setErrorCode(Errors.INVALID_REQUEST.code())
                    .setErrorMessage("configs of " + type + " are not available");
        }
        String name = resource.resourceName();
        if (!topics.may(caller, Operation.READ, name) && !topics.may(caller, Operation.CONFIGURE, name)) {
            return result.setErrorCode(Errors.TOPIC_AUTHORIZATION_FAILED.code());
        }
        StreamInfo stream = topics.stream(caller, name);
        if (stream == null) {
            return result.setErrorCode(Errors.UNKNOWN_TOPIC_OR_PARTITION.code());
        }
        Map<String, String> explicit = topics.host(caller).streamConfigs(topics.streamName(caller, name));
        TopicConfigs.describe(stream.config())
                .forEach((key, value) -> add(
                        result, resource, key, value, TopicConfigs.isFixed(key), TopicsHandler.source(explicit, key)));
        return result;
    }

    private static void add(
            DescribeConfigsResult result,
            DescribeConfigsResource resource,
            String name,
            String value,
            boolean readOnly,
            byte source) {
        List<String> wanted = resource.configurationKeys();
        if (wanted == null || wanted.isEmpty() || wanted.contains(name)) {
            result.configs()
                    .add(new DescribeConfigsResourceResult()
                            .setName(name)
                            .setValue(value)
                            .setReadOnly(readOnly)
                            .setConfigSource(source)
                            .setConfigType(TopicConfigs.type(name)));
        }
    }

    public void incrementalAlterConfigs(Request request) {
        var data = request.body(IncrementalAlterConfigsRequest.class).data();
        IncrementalAlterConfigsResponseData response = new IncrementalAlterConfigsResponseData();
        List<CompletionStage<AlterConfigsResourceResponse>> results = new ArrayList<>();
        for (AlterConfigsResource resource : data.resources()) {
            results.add(alter(request.caller(), resource, data.validateOnly()));
        }
        TopicsHandler.whenAll(results, done -> {
            response.responses().addAll(done);
            request.respond(new IncrementalAlterConfigsResponse(response));
        });
    }

    private CompletionStage<AlterConfigsResourceResponse> alter(
            Caller caller, AlterConfigsResource resource, boolean validateOnly) {
        String name = resource.resourceName();
        AlterConfigsResourceResponse result = new AlterConfigsResourceResponse()
                .setResourceType(resource.resourceType())
                .setResourceName(name);
        if (ConfigResource.Type.forId(resource.resourceType()) != ConfigResource.Type.TOPIC) {
            return refused(result, Errors.INVALID_REQUEST, "only configs of topics can be altered");
        }
        if (!topics.may(caller, Operation.CONFIGURE, name)) {
            return refused(result, Errors.TOPIC_AUTHORIZATION_FAILED, Errors.TOPIC_AUTHORIZATION_FAILED.message());
        }
        StreamInfo stream = topics.stream(caller, name);
        if (stream == null) {
            return refused(result, Errors.UNKNOWN_TOPIC_OR_PARTITION, Errors.UNKNOWN_TOPIC_OR_PARTITION.message());
        }
        Map<String, String> configs = new HashMap<>(topics.host(caller).streamConfigs(topics.streamName(caller, name)));
        StreamConfig config;
        try {
            for (var change : resource.configs()) {
                apply(configs, change.name(), OpType.forId(change.configOperation()), change.value());
            }
            config = withDurability(TopicConfigs.parse(configs), stream.config());
        } catch (ConfigException e) {
            return refused(result, Errors.INVALID_CONFIG, String.valueOf(e.getMessage()));
        }
        if (validateOnly) {
            return CompletableFuture.completedFuture(result);
        }
        return topics.host(caller)
                .alterStream(caller, topics.streamName(caller, name), config, configs)
                .handle((altered, error) -> error == null
                        ? result
                        : result.setErrorCode(KafkaErrors.of(error).code())
                                .setErrorMessage(KafkaErrors.message(error)));
    }

    private static void apply(Map<String, String> configs, String name, OpType operation, String value) {
        if (operation != OpType.DELETE && value == null) {
            throw new ConfigException("Null value not supported for " + name);
        }
        switch (operation) {
            case SET -> configs.put(name, value);
            case DELETE -> configs.remove(name);
            case APPEND, SUBTRACT -> {
                if (!TopicConfigs.isList(name)) {
                    throw new ConfigException("Config value append is not allowed for config key: " + name);
                }
                Set<String> list = new LinkedHashSet<>(
                        List.of(configs.getOrDefault(name, "delete").split(",")));
                if (operation == OpType.APPEND) {
                    list.addAll(List.of(value.split(",")));
                } else {
                    List.of(value.split(",")).forEach(list::remove);
                }
                configs.put(name, String.join(",", list));
            }
        }
    }

    /** The level is no Kafka config: altering others keeps it. */
    private static StreamConfig withDurability(StreamConfig config, StreamConfig present) {
        return config.withDurability(present.durability());
    }

    private static CompletionStage<AlterConfigsResourceResponse> refused(
            AlterConfigsResourceResponse result, Errors error, String message) {
        return CompletableFuture.completedFuture(
                result.setErrorCode(error.code()).setErrorMessage(message));
    }
}
