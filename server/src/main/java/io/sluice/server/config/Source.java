package io.sluice.server.config;

import java.util.List;
import java.util.Map;

/**
 * What one source (file, environment or flags) says.
 *
 * @param settings by dotted key
 * @param routes routes in the order written; only the file has any
 */
record Source(Map<String, Entry> settings, List<RouteSetting> routes) {
    Source(Map<String, Entry> settings) {
        this(settings, List.of());
    }
}
