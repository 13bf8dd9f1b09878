package io.sluice.server.management.rabbit;

import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Filter, order, page and columns of a list, from the query parameters {@code name}, {@code use_regex}, {@code sort}, {@code
 * sort_reverse}, {@code page}, {@code page_size} and {@code columns}. Without {@code page} the answer is the whole list.
 */
final class Listing {
    private static final int MOST_PER_PAGE = 500;
    private static final int PER_PAGE = 100;

    private Listing() {}

    static Object of(List<Map<String, @Nullable Object>> all, Map<String, String> query) {
        List<Map<String, @Nullable Object>> items = filtered(all, query);
        String sort = query.get("sort");
        if (sort != null && !sort.isEmpty()) {
            Comparator<Map<String, @Nullable Object>> order = (a, b) -> compare(value(a, sort), value(b, sort));
            items = new ArrayList<>(items);
            items.sort("true".equals(query.get("sort_reverse")) ? order.reversed() : order);
        }
        String page = query.get("page");
        if (page == null) {
            return items.stream().map(item -> columns(item, query)).toList();
        }
        int number = number(page, "page", Integer.MAX_VALUE);
        int size = number(query.getOrDefault("page_size", String.valueOf(PER_PAGE)), "page_size", MOST_PER_PAGE);
        int pages = Math.max(1, (items.size() + size - 1) / size);
        if (number > pages) {
            throw ApiException.badRequest(
                    "page_out_of_range: page " + number + ", page size " + size + ", " + pages + " pages");
        }
        List<Map<String, @Nullable Object>> shown =
                items.subList((number - 1) * size, Math.min(items.size(), number * size));
        Map<String, @Nullable Object> answer = new LinkedHashMap<>();
        answer.put("total_count", all.size());
        answer.put("item_count", shown.size());
        answer.put("filtered_count", items.size());
        answer.put("page", number);
        answer.put("page_size", size);
        answer.put("page_count", pages);
        answer.put("items", shown.stream().map(item -> columns(item, query)).toList());
        return answer;
    }

    private static int number(String text, String name, int most) {
        if (!text.matches("[0-9]{1,9}") || Integer.parseInt(text) < 1 || Integer.parseInt(text) > most) {
            throw ApiException.badRequest("Invalid " + name + ": '" + text + "', must be 1 to " + most + ".");
        }
        return Integer.parseInt(text);
    }

    private static List<Map<String, @Nullable Object>> filtered(
            List<Map<String, @Nullable Object>> all, Map<String, String> query) {
        String name = query.get("name");
        if (name == null || name.isEmpty()) {
            return all;
        }
        if (!"true".equals(query.get("use_regex"))) {
            return all.stream()
                    .filter(item -> String.valueOf(item.get("name")).contains(name))
                    .toList();
        }
        try {
            Pattern pattern = Pattern.compile(name);
            return all.stream()
                    .filter(item ->
                            pattern.matcher(String.valueOf(item.get("name"))).find())
                    .toList();
        } catch (PatternSyntaxException e) {
            throw ApiException.badRequest("The name is not a regular expression: " + e.getDescription() + ".");
        }
    }

    private static @Nullable Object value(Map<String, @Nullable Object> item, String path) {
        Object at = item;
        for (String part : path.split("\\.")) {
            at = at instanceof Map<?, ?> map ? map.get(part) : null;
        }
        return at;
    }

    private static int compare(@Nullable Object a, @Nullable Object b) {
        if (a instanceof Number first && b instanceof Number second) {
            return Double.compare(first.doubleValue(), second.doubleValue());
        }
        return (a == null ? "" : a.toString()).compareTo(b == null ? "" : b.toString());
    }

    private static Map<String, @Nullable Object> columns(
            Map<String, @Nullable Object> item, Map<String, String> query) {
        String columns = query.get("columns");
        if (columns == null || columns.isEmpty()) {
            return item;
        }
        Map<String, @Nullable Object> some = new LinkedHashMap<>();
        for (String column : columns.split(",")) {
            Object value = value(item, column);
            if (value != null) {
                put(some, column, value);
            }
        }
        return some;
    }

    @SuppressWarnings("unchecked") // all tables of a view have text keys
    private static void put(Map<String, @Nullable Object> into, String path, Object value) {
        int dot = path.indexOf('.');
        if (dot < 0) {
            into.put(path, value);
        } else {
            Object nested = into.computeIfAbsent(path.substring(0, dot), key -> new LinkedHashMap<>());
            put((Map<String, @Nullable Object>) nested, path.substring(dot + 1), value);
        }
    }
}
