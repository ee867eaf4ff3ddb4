using System.Text.Json;

namespace Virtigo.Machines;

/// <summary>The guest's agent refused or failed a command.</summary>
/// <param name="command">The command.</param>
/// <param name="description">The agent's words.</param>
internal sealed class GuestAgentException(string command, string description)
    : Exception($"The guest's agent failed {command}: {description}");

/// <summary>What goes over the agent's channel. Whatever comes from the guest is hostile.</summary>
internal static class GuestAgentMessage
{
    private const int DepthLimit = 16;
    private const int TextLimit = 4096;

    /// <summary>Reads an answer.</summary>
    /// <param name="command">The command that it answers.</param>
    /// <param name="line">The answer's line.</param>
    /// <returns>The answer's value.</returns>
    /// <exception cref="GuestAgentException">The agent failed the command.</exception>
    /// <exception cref="InvalidDataException">It is no answer.</exception>
    public static JsonElement ParseAnswer(string command, ReadOnlyMemory<byte> line)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line, new JsonDocumentOptions { MaxDepth = DepthLimit });
            JsonElement root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("return", out JsonElement value))
            {
                return value.Clone();
            }

            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("error", out JsonElement error))
            {
                throw new GuestAgentException(command, Text(error, "desc") ?? "no description");
            }
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string that is not UTF-8.
            throw new InvalidDataException($"The guest's agent answered {command} with something that is not JSON.", error);
        }

        throw new InvalidDataException($"The guest's agent answered {command} with neither a result nor an error.");
    }

    /// <summary>A member that is a whole number, or null.</summary>
    public static long? Number(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value)
            && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number)
            ? number
            : null;

    /// <summary>Whether a member is true.</summary>
    public static bool Flag(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.True;

    /// <summary>A member that is base64, decoded; empty when absent.</summary>
    /// <exception cref="InvalidDataException">It is not base64.</exception>
    public static byte[] Bytes(JsonElement element, string name)
    {
        if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(name, out JsonElement value))
        {
            return [];
        }

        try
        {
            return value.ValueKind == JsonValueKind.String && value.TryGetBytesFromBase64(out byte[]? bytes)
                ? bytes
                : throw new InvalidDataException($"The guest's agent sent a {name} that is not base64.");
        }
        catch (InvalidOperationException error)
        {
            throw new InvalidDataException($"The guest's agent sent a {name} that is not text.", error);
        }
    }

    private static string? Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value)
            && value.ValueKind == JsonValueKind.String && value.GetString() is { } text
            ? text.Length <= TextLimit ? text : text[..TextLimit]
            : null;
}
