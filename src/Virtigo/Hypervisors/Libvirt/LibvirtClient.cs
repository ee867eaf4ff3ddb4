using Virtigo.Host;

namespace Virtigo.Hypervisors.Libvirt;

/// <summary>Gives commands to libvirt through its own client, one process for each.</summary>
/// <param name="uri">The connection.</param>
internal sealed class LibvirtClient(LibvirtUri uri)
{
    /// <summary>The client.</summary>
    public const string Program = "virsh";

    /// <summary>How long libvirt may take for a command; the first one to a daemon that looks at its QEMU takes seconds.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private const string ErrorMark = "error: ";

    // Its messages are read, so they are in one language.
    private static readonly Dictionary<string, string> Language = new(StringComparer.Ordinal) { ["LC_ALL"] = "C.UTF-8" };

    /// <summary>The connection.</summary>
    public LibvirtUri Uri => uri;

    /// <summary>A run of the client.</summary>
    /// <param name="arguments">A command and what belongs to it; or one argument that is several commands, with <c>;</c> between.</param>
    public ChildCommand Command(params string[] arguments) => new(Program, ["-c", uri.Text, .. arguments]) { Environment = Language };

    /// <summary>Gives a command.</summary>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Host"/> when the client is not installed, or libvirt does not answer within <see cref="Limit"/>.
    /// </exception>
    public async Task<ToolResult> TryAsync(string[] arguments, CancellationToken cancellationToken)
    {
        ChildCommand command = Command(arguments);
        using var limit = new CancellationTokenSource(Limit, TimeProvider.System);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await Tool.TryRunAsync(command, ReadOnlyMemory<byte>.Empty, either.Token);
        }
        catch (OperationCanceledException error) when (!cancellationToken.IsCancellationRequested)
        {
            throw new VirtigoException(FailureKind.Host, $"libvirt at {uri.Text} did not answer within {Limit.TotalSeconds} s.", "Rerun: " + command, error);
        }
    }

    /// <summary>What the client says went wrong, in one line: the most particular of what it says comes last.</summary>
    /// <param name="said">Its standard error.</param>
    public static string Reason(string said)
    {
        string[] lines = [.. said.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.StartsWith(ErrorMark, StringComparison.Ordinal) ? line[ErrorMark.Length..] : line)];

        // The one command fails because the one before it did.
        string[] own = [.. lines.Where(line => !IsGone(line))];
        return (own.Length, lines.Length) switch
        {
            (0, 0) => "it did not say why",
            (0, _) => lines[^1],
            (1, _) => own[0],
            _ => string.Join(": ", own.Skip(1)),
        };
    }

    /// <summary>Whether the client says that there is no such domain any more.</summary>
    public static bool IsGone(string said) =>
        said.Contains("failed to get domain", StringComparison.Ordinal) || said.Contains("Domain not found", StringComparison.Ordinal)
        || said.Contains("domain is not running", StringComparison.Ordinal);
}
