package io.sluice.server.management;

import io.netty.buffer.ByteBufUtil;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.QueryStringDecoder;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A request below a path, taken apart.
 *
 * @param path decoded parts of the path after the prefix, so that a name may hold a slash
 * @param query parameters, the last one of each name
 * @param authorization header {@code Authorization}, null if there is none
 * @param reason header {@code X-Reason}, null if there is none
 */
@SuppressWarnings("ArrayRecordComponent") // read once; never compared
public record ApiRequest(
        HttpMethod method,
        List<String> path,
        Map<String, String> query,
        @Nullable String authorization,
        @Nullable String reason,
        InetSocketAddress remote,
        InetSocketAddress local,
        byte[] body) {

    /**
     * Takes a request apart.
     *
     * @throws IllegalArgumentException if an escape in the path or the query is malformed
     */
    static ApiRequest of(FullHttpRequest request, InetSocketAddress remote, InetSocketAddress local) {
        QueryStringDecoder decoder = new QueryStringDecoder(request.uri());
        Map<String, String> query = new LinkedHashMap<>();
        decoder.parameters().forEach((name, values) -> query.put(name, values.get(values.size() - 1)));
        List<String> path = new ArrayList<>();
        String raw = decoder.rawPath();
        int at = raw.indexOf('/', 1);
        while (at >= 0 && at + 1 < raw.length()) {
            int next = raw.indexOf('/', at + 1);
            path.add(QueryStringDecoder.decodeComponent(
                    raw.substring(at + 1, next < 0 ? raw.length() : next).replace("+", "%2B")));
            at = next;
        }
        return new ApiRequest(
                request.method().equals(HttpMethod.HEAD) ? HttpMethod.GET : request.method(),
                List.copyOf(path),
                query,
                request.headers().get(HttpHeaderNames.AUTHORIZATION),
                request.headers().get("x-reason"),
                remote,
                local,
                ByteBufUtil.getBytes(request.content()));
    }
}
