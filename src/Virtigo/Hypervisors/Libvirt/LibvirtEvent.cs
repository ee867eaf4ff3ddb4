using System.Text.Json;
using System.Text.RegularExpressions;
using Virtigo.Hypervisors.Qemu;

namespace Virtigo.Hypervisors.Libvirt;

/// <summary>What the client tells of a domain while it listens.</summary>
internal abstract partial record LibvirtEvent
{
    /// <summary>The longest line that is read, in bytes.</summary>
    public const int LineLimit = 64 << 10;

    private const int DepthLimit = 16;

    private LibvirtEvent()
    {
    }

    /// <summary>A change of a domain's life, as libvirt sees it.</summary>
    /// <param name="Kind">What, such as <c>Stopped</c>.</param>
    /// <param name="Detail">How or why, such as <c>Failed</c>.</param>
    public sealed record Lifecycle(string Kind, string Detail) : LibvirtEvent;

    /// <summary>An event of the domain's QEMU.</summary>
    /// <param name="Value">As QEMU told it.</param>
    public sealed record Monitor(QmpEvent Value) : LibvirtEvent;

    /// <summary>Reads a line of <c>virsh event</c> or <c>virsh qemu-monitor-event</c>.</summary>
    /// <returns>Null when it is neither, or of another domain, or an event that says nothing about a guest's life.</returns>
    public static LibvirtEvent? Parse(string line, string domain)
    {
        if (LifecyclePattern().Match(line) is { Success: true } life && life.Groups["domain"].Value == domain)
        {
            return new Lifecycle(life.Groups["kind"].Value, life.Groups["detail"].Value);
        }

        return MonitorPattern().Match(line) is { Success: true } monitor && monitor.Groups["domain"].Value == domain
            && Data(monitor.Groups["data"].Value) is { } data ? new Monitor(new QmpEvent(monitor.Groups["name"].Value, data)) : null;
    }

    private static JsonElement? Data(string text)
    {
        if (text == "<null>")
        {
            return default(JsonElement);
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = DepthLimit });
            return document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement.Clone() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    [GeneratedRegex(@"\Aevent 'lifecycle' for domain '(?<domain>[^']*)': (?<kind>[A-Z][A-Za-z]*) (?<detail>[A-Za-z -]{1,100})\z")]
    private static partial Regex LifecyclePattern();

    [GeneratedRegex(@"\Aevent (?<name>[A-Z][A-Z0-9_]{0,63}) at [0-9]+\.[0-9]+ for domain '(?<domain>[^']*)': (?<data><null>|\{.*\})\z")]
    private static partial Regex MonitorPattern();
}
