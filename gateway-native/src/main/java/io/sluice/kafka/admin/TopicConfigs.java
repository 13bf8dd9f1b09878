package io.sluice.kafka.admin;

import io.sluice.log.StreamConfig;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.requests.DescribeConfigsResponse;

/**
 * Kafka's topic configs that have an effect on a stream. Others are refused by name; those with one possible value are
 * listed read-only and accepted at that value.
 */
final class TopicConfigs {
    static final String RETENTION_MS = "retention.ms";
    static final String RETENTION_BYTES = "retention.bytes";
    static final String SEGMENT_BYTES = "segment.bytes";
    static final String SEGMENT_MS = "segment.ms";
    static final String CLEANUP_POLICY = "cleanup.policy";
    static final String MAX_MESSAGE_BYTES = "max.message.bytes";
    static final String DELETE_RETENTION_MS = "delete.retention.ms";
    static final String TIMESTAMP_TYPE = "message.timestamp.type";

    /** Configs with one possible value. */
    private static final Map<String, String> FIXED = Map.of(
            "min.insync.replicas", "1",
            "compression.type", "producer",
            "unclean.leader.election.enable", "false",
            "remote.storage.enable", "false");

    private static final long MIN_SEGMENT_BYTES = 1 << 20;

    private TopicConfigs() {}

    /**
     * The settings for explicit configs on top of the defaults.
     *
     * @throws ConfigException naming the config that is unknown or out of bounds
     */
    static StreamConfig parse(Map<String, String> configs) {
        StreamConfig base = StreamConfig.DEFAULT;
        for (Map.Entry<String, String> config : configs.entrySet()) {
            String fixed = FIXED.get(config.getKey());
            if (fixed != null && !fixed.equals(config.getValue())) {
                throw new ConfigException(config.getKey(), config.getValue(), "Only " + fixed + " is possible");
            }
            if (fixed == null && !values(base).containsKey(config.getKey())) {
                throw new ConfigException("Unknown or unsupported topic config name: " + config.getKey());
            }
        }
        String policy = configs.getOrDefault(CLEANUP_POLICY, "delete").replace(" ", "");
        boolean compact = false;
        boolean delete = false;
        for (String part : policy.split(",")) {
            switch (part) {
                case "compact" -> compact = true;
                case "delete" -> delete = true;
                default -> throw new ConfigException(CLEANUP_POLICY, policy, "Must be compact, delete or both");
            }
        }
        String type = configs.getOrDefault(TIMESTAMP_TYPE, "CreateTime").toLowerCase(Locale.ROOT);
        if (!type.equals("createtime") && !type.equals("logappendtime")) {
            throw new ConfigException(TIMESTAMP_TYPE, type, "Must be CreateTime or LogAppendTime");
        }
        return new StreamConfig(
                        number(configs, SEGMENT_BYTES, base.segmentBytes(), MIN_SEGMENT_BYTES, Integer.MAX_VALUE),
                        number(configs, SEGMENT_MS, base.segmentMillis(), 1, Long.MAX_VALUE),
                        number(configs, RETENTION_MS, base.retentionMillis(), -1, Long.MAX_VALUE),
                        number(configs, RETENTION_BYTES, base.retentionBytes(), -1, Long.MAX_VALUE),
                        compact,
                        delete,
                        (int) number(configs, MAX_MESSAGE_BYTES, base.maxBatchBytes(), 1, 100 << 20),
                        type.equals("logappendtime"),
                        null)
                .withTombstoneMillis(number(configs, DELETE_RETENTION_MS, base.tombstoneMillis(), 0, Long.MAX_VALUE));
    }

    /** All configs of a stream by name, fixed ones last. */
    static Map<String, String> describe(StreamConfig config) {
        Map<String, String> all = values(config);
        all.putAll(FIXED);
        return all;
    }

    static boolean isFixed(String name) {
        return FIXED.containsKey(name);
    }

    static boolean isList(String name) {
        return CLEANUP_POLICY.equals(name);
    }

    static byte type(String name) {
        DescribeConfigsResponse.ConfigType type = switch (name) {
            case RETENTION_MS, RETENTION_BYTES, SEGMENT_MS, DELETE_RETENTION_MS ->
                DescribeConfigsResponse.ConfigType.LONG;
            case SEGMENT_BYTES, MAX_MESSAGE_BYTES, "min.insync.replicas" -> DescribeConfigsResponse.ConfigType.INT;
            case CLEANUP_POLICY -> DescribeConfigsResponse.ConfigType.LIST;
            case "unclean.leader.election.enable", "remote.storage.enable" ->
                DescribeConfigsResponse.ConfigType.BOOLEAN;
            default -> DescribeConfigsResponse.ConfigType.STRING;
        };
        return type.id();
    }

    private static Map<String, String> values(StreamConfig config) {
        Map<String, String> values = new LinkedHashMap<>();
        values.put(RETENTION_MS, Long.toString(config.retentionMillis()));
        values.put(RETENTION_BYTES, Long.toString(config.retentionBytes()));
        values.put(SEGMENT_BYTES, Long.toString(config.segmentBytes()));
        values.put(SEGMENT_MS, Long.toString(config.segmentMillis()));
        values.put(CLEANUP_POLICY, config.compact() ? (config.delete() ? "compact,delete" : "compact") : "delete");
        values.put(DELETE_RETENTION_MS, Long.toString(config.tombstoneMillis()));
        values.put(MAX_MESSAGE_BYTES, Integer.toString(config.maxBatchBytes()));
        values.put(TIMESTAMP_TYPE, config.logAppendTime() ? "LogAppendTime" : "CreateTime");
        return values;
    }

    private static long number(Map<String, String> configs, String name, long otherwise, long min, long max) {
        String text = configs.get(name);
        if (text == null) {
            return otherwise;
        }
        long value = (Long) ConfigDef.parseType(name, text, ConfigDef.Type.LONG);
        if (value < min || value > max) {
            throw new ConfigException(name, text, "Must be between " + min + " and " + max);
        }
        return value;
    }
}
