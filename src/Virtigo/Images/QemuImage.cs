using System.Globalization;
using Virtigo.Host;

namespace Virtigo.Images;

/// <summary>Makes disk files with <c>qemu-img</c>.</summary>
internal static class QemuImage
{
    /// <summary>Makes an empty qcow2 disk.</summary>
    /// <param name="path">The disk to make.</param>
    /// <param name="bytes">The size that a guest sees, in bytes.</param>
    /// <param name="cancellationToken">Ends the making.</param>
    public static Task CreateAsync(string path, long bytes, CancellationToken cancellationToken) =>
        RunAsync(
            ["create", "-q", "-f", "qcow2", Path.GetFullPath(path), bytes.ToString(CultureInfo.InvariantCulture)],
            $"The disk {path} could not be made.", null, cancellationToken);

    /// <summary>Makes a qcow2 disk that begins as a copy of another one and keeps only what is written to it.</summary>
    /// <param name="diskPath">The disk to begin from, qcow2; it must not change while the overlay is used.</param>
    /// <param name="path">The overlay to make.</param>
    /// <param name="cancellationToken">Ends the making.</param>
    public static Task CreateOverlayAsync(string diskPath, string path, CancellationToken cancellationToken) =>
        RunAsync(
            ["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", Path.GetFullPath(diskPath), Path.GetFullPath(path)],
            $"The overlay {path} could not be made.", null, cancellationToken);

    /// <summary>Runs <c>qemu-img</c>.</summary>
    /// <exception cref="VirtigoException">It failed or is not installed (<see cref="FailureKind.Host"/>).</exception>
    public static async Task RunAsync(
        IReadOnlyList<string> arguments, string failure, Action<string>? onOutput, CancellationToken cancellationToken)
    {
        ToolResult result = await HostTool.RunAsync("qemu-img", arguments, onOutput, cancellationToken);
        if (result.ExitCode != 0)
        {
            throw new VirtigoException(FailureKind.Host, $"{failure} qemu-img said: {result.Error.Trim()}",
                $"To see it again: {result.CommandLine}");
        }
    }
}
