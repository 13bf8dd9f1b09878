package io.sluice.server.management;

import io.netty.handler.codec.http.HttpMethod;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** Which endpoint answers which path and method. Immutable. */
final class Endpoints {
    private final Map<String, Map<HttpMethod, Endpoint>> byPath;
    private final Map<String, TreeEndpoint> byPrefix;

    private Endpoints(Map<String, Map<HttpMethod, Endpoint>> byPath, Map<String, TreeEndpoint> byPrefix) {
        this.byPath = byPath;
        this.byPrefix = byPrefix;
    }

    /** What answers all that lies below the first part of a path, null if nothing does. */
    @Nullable
    TreeEndpoint tree(String path) {
        int end = path.indexOf('/', 1);
        return byPrefix.get(end < 0 ? path : path.substring(0, end));
    }

    /** The methods that a path answers, null if there is no such path. */
    @Nullable
    Set<String> methods(String path) {
        Map<HttpMethod, Endpoint> methods = byPath.get(path);
        if (methods == null) {
            return null;
        }
        Set<String> names = new TreeSet<>();
        methods.keySet().forEach(method -> names.add(method.name()));
        return names;
    }

    @Nullable
    Endpoint find(String path, HttpMethod method) {
        Map<HttpMethod, Endpoint> methods = byPath.get(path);
        if (methods == null) {
            return null;
        }
        return methods.get(method.equals(HttpMethod.HEAD) ? HttpMethod.GET : method);
    }

    static final class Builder {
        private final Map<String, Map<HttpMethod, Endpoint>> byPath = new LinkedHashMap<>();
        private final Map<String, TreeEndpoint> byPrefix = new LinkedHashMap<>();

        Builder add(HttpMethod method, String path, Endpoint endpoint) {
            byPath.computeIfAbsent(path, p -> new LinkedHashMap<>()).put(method, endpoint);
            return this;
        }

        /** Everything below a path of one part, such as {@code /api}. */
        Builder tree(String prefix, TreeEndpoint endpoint) {
            byPrefix.put(prefix, endpoint);
            return this;
        }

        Endpoints build() {
            return new Endpoints(Map.copyOf(byPath), Map.copyOf(byPrefix));
        }
    }
}
