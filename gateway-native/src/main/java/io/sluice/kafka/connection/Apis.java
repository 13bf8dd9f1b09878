package io.sluice.kafka.connection;

import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;
import org.apache.kafka.common.protocol.ApiKeys;
import org.jspecify.annotations.Nullable;

/**
 * The APIs that are served, with their handlers; what is not in here is neither announced nor accepted. Filled before the
 * first connection, read-only afterwards.
 */
public final class Apis {
    /** A range of versions and who serves it. */
    public record Entry(short minVersion, short maxVersion, ApiHandler handler) {}

    private static final ApiKeys[] BY_ID = byId();

    private final Map<ApiKeys, Entry> entries = new EnumMap<>(ApiKeys.class);

    /** Serves all stable versions of {@code key}. */
    public void add(ApiKeys key, ApiHandler handler) {
        entries.put(key, new Entry(key.oldestVersion(), key.latestVersion(false), handler));
    }

    public Map<ApiKeys, Entry> entries() {
        return Collections.unmodifiableMap(entries);
    }

    @Nullable
    Entry entry(ApiKeys key) {
        return entries.get(key);
    }

    /**
     * Says whether a request may be read at all. ApiVersions is read at any version, since its answer tells the client which
     * ones there are (KIP-511).
     */
    boolean accepts(short apiKey, short version) {
        if (apiKey < 0 || apiKey >= BY_ID.length) {
            return false;
        }
        ApiKeys key = BY_ID[apiKey];
        Entry entry = key == null ? null : entries.get(key);
        return entry != null
                && (key == ApiKeys.API_VERSIONS || (version >= entry.minVersion() && version <= entry.maxVersion()));
    }

    private static ApiKeys[] byId() {
        int max = 0;
        for (ApiKeys key : ApiKeys.values()) {
            max = Math.max(max, key.id);
        }
        ApiKeys[] table = new ApiKeys[max + 1];
        for (ApiKeys key : ApiKeys.values()) {
            table[key.id] = key;
        }
        return table;
    }
}
