using System.Diagnostics;

namespace Virtigo.Tests.Archives;

/// <summary>Runs the host's tools for the fixture, and owns the folder where it puts things; removed when the test process ends.</summary>
internal static class TestArchiveTools
{
    private static readonly Lazy<string> Folder = new(() =>
    {
        // Short: gpg-agent's socket is in a folder below it.
        string folder = Directory.CreateTempSubdirectory("vga-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
        return folder;
    });

    private static int s_next;

    /// <summary>A new, empty folder.</summary>
    public static string NewFolder() =>
        Directory.CreateDirectory(Path.Combine(Folder.Value, Interlocked.Increment(ref s_next).ToString("d"))).FullName;

    /// <summary>Runs a tool to its end and returns its standard output.</summary>
    public static byte[] Run(string tool, byte[]? input, params string[] arguments)
    {
        var start = new ProcessStartInfo(tool, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        Task feeding = Task.Run(() =>
        {
            process.StandardInput.BaseStream.Write(input ?? []);
            process.StandardInput.Close();
        });
        using var output = new MemoryStream();
        process.StandardOutput.BaseStream.CopyTo(output);
        process.WaitForExit();
        feeding.Wait();
        return process.ExitCode == 0
            ? output.ToArray()
            : throw new InvalidOperationException($"{tool} {string.Join(' ', arguments)} failed: {errors.Result}");
    }
}
