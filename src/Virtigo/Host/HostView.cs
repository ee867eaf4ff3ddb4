namespace Virtigo.Host;

/// <summary>What the doctor sees of the host: a seam, so that its advice can be tested for hosts unlike this one.</summary>
internal interface IHostView
{
    /// <summary>The processors that may be used.</summary>
    int Processors { get; }

    /// <summary>Whether the user is root.</summary>
    bool IsRoot { get; }

    /// <summary>The path of a program, or null.</summary>
    string? FindTool(string name);

    /// <summary>Runs a program that only says something about itself.</summary>
    Task<ToolResult> RunToolAsync(string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken);

    /// <summary>A small text file, or null when it cannot be read.</summary>
    string? ReadText(string path);

    /// <summary>Whether a file or device exists.</summary>
    bool Exists(string path);

    /// <summary>Whether a file or device can be opened for reading and writing.</summary>
    bool CanWrite(string path);

    /// <summary>Whether a folder can be made, or is there and can be written to.</summary>
    bool CanMakeFolder(string path);

    /// <summary>The bytes an ordinary user may still write below a folder.</summary>
    long FreeBytes(string path);
}

/// <summary>The host as it is.</summary>
internal sealed class HostView : IHostView
{
    public int Processors => Environment.ProcessorCount;

    public bool IsRoot => Environment.IsPrivilegedProcess;

    public string? FindTool(string name) => HostTools.Find(name);

    public Task<ToolResult> RunToolAsync(string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken) =>
        Tool.TryRunAsync(new ChildCommand(program, arguments), ReadOnlyMemory<byte>.Empty, cancellationToken);

    public string? ReadText(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    public bool Exists(string path) => File.Exists(path);

    public bool CanWrite(string path)
    {
        try
        {
            File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite).Dispose();
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    public bool CanMakeFolder(string path)
    {
        try
        {
            Directory.CreateDirectory(path);
            string probe = Path.Combine(path, $".probe-{Guid.NewGuid():N}");
            File.WriteAllBytes(probe, []);
            File.Delete(probe);
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    public long FreeBytes(string path) => DiskFile.FreeBytes(path);
}
