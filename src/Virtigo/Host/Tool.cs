using System.Text;

namespace Virtigo.Host;

/// <summary>What a tool said.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="Output">Its standard output, as UTF-8.</param>
/// <param name="Error">The last of its standard error, at most 16 KiB.</param>
internal sealed record ToolResult(int ExitCode, string Output, string Error);

/// <summary>Runs short-lived tools of the host.</summary>
internal static class Tool
{
    /// <summary>The most that a tool may write to its standard output, in bytes.</summary>
    public const int OutputLimit = 64 << 20;

    /// <summary>Runs a tool to its end and expects it to succeed. Its messages are in English.</summary>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Host"/> when it is missing, fails or says too much; the hint is the command to rerun.
    /// </exception>
    public static async Task<string> RunAsync(string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var command = new ChildCommand(program, arguments);
        ToolResult result = await TryRunAsync(command, ReadOnlyMemory<byte>.Empty, cancellationToken);
        if (result.ExitCode == 0)
        {
            return result.Output;
        }

        string said = result.Error.Trim();
        throw new VirtigoException(FailureKind.Host,
            $"{program} failed with exit code {result.ExitCode}{(said.Length > 0 ? ": " + said : ", saying nothing")}.",
            "Rerun: " + command);
    }

    /// <summary>Runs a tool to its end, whatever that is. Cancelling kills it.</summary>
    /// <param name="command">The command.</param>
    /// <param name="input">What it reads from its standard input.</param>
    /// <param name="cancellationToken">Kills the tool.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when it is missing or says too much.</exception>
    public static async Task<ToolResult> TryRunAsync(ChildCommand command, ReadOnlyMemory<byte> input, CancellationToken cancellationToken)
    {
        var environment = new Dictionary<string, string>(command.Environment, StringComparer.Ordinal);
        environment.TryAdd("LC_ALL", "C.UTF-8");
        await using ChildProcess child = await ChildProcess.StartAsync(
            command with { PipeInput = true, PipeOutput = true, Environment = environment }, cancellationToken);
        Task writing = WriteAsync(child.Input, input, cancellationToken);
        string output = await ReadAsync(child, command, cancellationToken);
        await writing;
        int code = await child.Exited.WaitAsync(cancellationToken);
        return new ToolResult(code, output, child.ErrorTail);
    }

    private static async Task<string> ReadAsync(ChildProcess child, ChildCommand command, CancellationToken cancellationToken)
    {
        using var output = new MemoryStream();
        byte[] buffer = new byte[16 << 10];
        for (int read; (read = await child.Output.ReadAsync(buffer, cancellationToken)) > 0;)
        {
            if (output.Length + read > OutputLimit)
            {
                throw new VirtigoException(FailureKind.Host, $"{command.Program} wrote more than {OutputLimit >> 20} MiB.", "Rerun: " + command);
            }

            output.Write(buffer, 0, read);
        }

        return Encoding.UTF8.GetString(output.GetBuffer(), 0, (int)output.Length);
    }

    private static async Task WriteAsync(Stream input, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        try
        {
            await input.WriteAsync(bytes, cancellationToken);
            await input.FlushAsync(cancellationToken);
        }
        catch (IOException)
        {
            // It ended without reading all: its exit code tells why.
        }
        finally
        {
            await input.DisposeAsync();
        }
    }
}
