using Virtigo.Host;

namespace Virtigo.Images;

/// <summary>Keeps an image from being removed while something runs on it. Dispose it when the machine is gone.</summary>
public sealed class ImageLease : IDisposable
{
    private readonly FileLock _lock;

    internal ImageLease(StoredImage image, FileLock held) => (Image, _lock) = (image, held);

    /// <summary>The image that is kept.</summary>
    public StoredImage Image { get; }

    /// <summary>Gives the image free.</summary>
    public void Dispose() => _lock.Dispose();
}
