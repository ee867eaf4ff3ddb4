using System.Buffers;
using System.Text.Json;

namespace Virtigo.Hypervisors.Qemu;

/// <summary>Something that happened in QEMU or the guest.</summary>
/// <param name="Name">Its name, such as <c>SHUTDOWN</c>.</param>
/// <param name="Data">Its data; undefined when it has none.</param>
internal sealed record QmpEvent(string Name, JsonElement Data);

/// <summary>QEMU understood a command and refused or failed it.</summary>
/// <param name="command">The command.</param>
/// <param name="errorClass">QEMU's class of the error.</param>
/// <param name="description">QEMU's words.</param>
internal sealed class QmpException(string command, string errorClass, string description)
    : Exception($"QEMU failed the command {command}: {description} ({errorClass})")
{
    /// <summary>QEMU's class of the error, such as <c>CommandNotFound</c>.</summary>
    public string ErrorClass { get; } = errorClass;
}

/// <summary>One message from QEMU. A guest may have taken QEMU over, so nothing in it is trusted.</summary>
internal abstract record QmpMessage
{
    /// <summary>The longest message, in bytes.</summary>
    public const int SizeLimit = 16 << 20;

    /// <summary>The longest event, in bytes.</summary>
    public const int EventSizeLimit = 64 << 10;

    private const int DepthLimit = 64;
    private const int TextLimit = 4096;

    /// <summary>The first message.</summary>
    public sealed record Greeting(string Version) : QmpMessage;

    /// <summary>A command succeeded.</summary>
    public sealed record Return(long Id, JsonElement Value) : QmpMessage;

    /// <summary>A command failed; no id when QEMU could not read the command.</summary>
    public sealed record Error(long? Id, string Class, string Description) : QmpMessage;

    /// <summary>An event.</summary>
    public sealed record Event(QmpEvent Value) : QmpMessage;

    /// <summary>Writes a command as a line, for QEMU or for the guest's agent.</summary>
    /// <param name="command">Its name.</param>
    /// <param name="arguments">Writes the members of its arguments; null for none.</param>
    /// <param name="id">What the answer is known by; null where answers come in order.</param>
    public static byte[] Format(string command, Action<Utf8JsonWriter>? arguments, long? id = null)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("execute", command);
            if (id is { } number)
            {
                writer.WriteNumber("id", number);
            }

            if (arguments is not null)
            {
                writer.WriteStartObject("arguments");
                arguments(writer);
                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        }

        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reads a message.</summary>
    /// <exception cref="InvalidDataException">It is no message of this protocol.</exception>
    public static QmpMessage Parse(ReadOnlyMemory<byte> line)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line, new JsonDocumentOptions { MaxDepth = DepthLimit });
            QmpMessage message = Read(document.RootElement);
            return message is Event && line.Length > EventSizeLimit ? throw new InvalidDataException("a QMP event that is too long") : message;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string that is not UTF-8.
            throw new InvalidDataException("not a QMP message: " + error.Message, error);
        }
    }

    /// <summary>A member that is a string of bounded length, or null.</summary>
    internal static string? Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value)
            && value.ValueKind == JsonValueKind.String && value.GetString() is { } text
            ? text.Length <= TextLimit ? text : text[..TextLimit]
            : null;

    private static QmpMessage Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new InvalidDataException($"not a QMP message: {root.ValueKind}");
        }

        if (root.TryGetProperty("return", out JsonElement value))
        {
            return IdOf(root) is { } id ? new Return(id, value.Clone()) : throw new InvalidDataException("a QMP answer without an id");
        }

        if (root.TryGetProperty("error", out JsonElement error))
        {
            return new Error(IdOf(root), Text(error, "class") ?? "unknown", Text(error, "desc") ?? "no description");
        }

        if (Text(root, "event") is { Length: > 0 } name)
        {
            return new Event(new QmpEvent(name, root.TryGetProperty("data", out JsonElement data) ? data.Clone() : default));
        }

        return root.TryGetProperty("QMP", out JsonElement greeting)
            ? new Greeting(VersionOf(greeting))
            : throw new InvalidDataException("a QMP message of an unknown kind");
    }

    private static long? IdOf(JsonElement root) =>
        root.TryGetProperty("id", out JsonElement id) && id.ValueKind == JsonValueKind.Number && id.TryGetInt64(out long number) ? number : null;

    private static string VersionOf(JsonElement greeting)
    {
        if (greeting.ValueKind != JsonValueKind.Object || !greeting.TryGetProperty("version", out JsonElement version)
            || version.ValueKind != JsonValueKind.Object || !version.TryGetProperty("qemu", out JsonElement qemu)
            || qemu.ValueKind != JsonValueKind.Object)
        {
            return "unknown";
        }

        int Part(string name) =>
            qemu.TryGetProperty(name, out JsonElement part) && part.ValueKind == JsonValueKind.Number && part.TryGetInt32(out int number) ? number : 0;
        return $"{Part("major")}.{Part("minor")}.{Part("micro")}";
    }
}
