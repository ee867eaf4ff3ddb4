namespace Virtigo.Host;

/// <summary>Writes a file so that a reader sees the whole of it or nothing, whatever happens to the writer.</summary>
internal static class AtomicFile
{
    /// <summary>Writes beside the target, flushes to disk, and renames.</summary>
    /// <param name="path">The file to write; replaced when present.</param>
    /// <param name="write">Writes the content.</param>
    /// <param name="mode">The file's permissions.</param>
    /// <param name="cancellationToken">Ends the writing; the target is then untouched.</param>
    public static async Task WriteAsync(
        string path,
        Func<Stream, CancellationToken, Task> write,
        UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead,
        CancellationToken cancellationToken = default)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        string temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            var options = new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                Options = FileOptions.Asynchronous,
                UnixCreateMode = mode,
            };
            await using (var file = new FileStream(temporary, options))
            {
                await write(file, cancellationToken);
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>Writes a text file atomically, as UTF-8.</summary>
    public static Task WriteTextAsync(string path, string text, CancellationToken cancellationToken) =>
        WriteAsync(path, (file, token) => file.WriteAsync(System.Text.Encoding.UTF8.GetBytes(text), token).AsTask(), cancellationToken: cancellationToken);
}
